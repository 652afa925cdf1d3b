"""Inputs that are made in one go are what the library makes of them."""

from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

import graphql
import pytest
import strawberry
from hypothesis import given, settings
from hypothesis import strategies as st
from strawberry.types.arguments import convert_argument

from schema.plain_inputs import plain_input
from schema.root import graphql_schema, schema
from schema.usage_mutations import RecordUsageInput, UsageEventInput

coerce: Any = getattr(graphql, "coerce_input_value")  # noqa: B009
_REGISTRY = schema.schema_converter.scalar_registry


def _made(kind: type, value: object) -> Any:
    return convert_argument(value, kind, _REGISTRY, schema.config)


def _by_the_library(kind: Any, value: object, *nested: Any) -> Any:
    definitions = [each.__strawberry_definition__ for each in (kind, *nested)]
    kept = [each.from_input for each in definitions]
    try:
        for each in definitions:
            each.from_input = None
        return _made(kind, value)
    finally:
        for each, from_input in zip(definitions, kept, strict=True):
            each.from_input = from_input


_EVENT = st.fixed_dictionaries(
    {
        "resource": st.text(max_size=3),
        "quantity": st.decimals(allow_nan=False).map(lambda each: format(each, "f")),
        "eventId": st.text(max_size=3),
    },
    optional={
        "workspaceId": st.none() | st.text(max_size=3),
        "externalId": st.none() | st.text(max_size=3),
        "occurredAt": st.none() | st.just("2026-11-21T09:30:00Z"),
        "subject": st.none() | st.text(max_size=3),
    },
)


@given(st.lists(_EVENT, max_size=4))
@settings(max_examples=200, deadline=None)
def test_events_are_what_the_library_makes_of_them(events: list[dict[str, Any]]) -> None:
    of_type: Any = graphql_schema.type_map["RecordUsageInput"]
    coerced: Any = coerce({"events": events}, of_type)
    if coerced is graphql.Undefined:
        # a number with too many digits
        return
    made = _made(RecordUsageInput, coerced)

    assert made == _by_the_library(RecordUsageInput, coerced, UsageEventInput)
    assert all(type(each) is UsageEventInput for each in made.events)


@strawberry.enum
class Colour(Enum):
    RED = "red"


@strawberry.input
class Leaf:
    size: int
    colour: Colour = Colour.RED


@plain_input
@strawberry.input
class Branch:
    leaf_of_it: Leaf
    leaves: list[Leaf | None]
    words: list[str] | None
    spare: Leaf | None = None
    at: datetime | None = None
    amount: Decimal = Decimal(1)


@plain_input
@strawberry.input
class Odd:
    perhaps: strawberry.Maybe[int]


def test_every_kind_of_field_is_what_the_library_makes_of_it() -> None:
    whole: dict[str, Any] = {
        "leafOfIt": {"size": 1, "colour": Colour.RED},
        "leaves": [{"size": 2}, None],
        "words": ["a"],
        "at": datetime(2030, 1, 1, tzinfo=UTC),
        "amount": Decimal("2.50"),
    }
    short: dict[str, Any] = {"leafOfIt": {"size": 1}, "leaves": []}
    for value in (whole, {**whole, "spare": {"size": 3}, "words": None}, short):
        assert _made(Branch, value) == _by_the_library(Branch, value)
    assert _made(Branch, whole).words is not whole["words"]


def test_what_can_be_more_than_one_kind_of_thing_is_no_plain_input() -> None:
    with pytest.raises(TypeError, match="nothing that a plain input may have"):
        _made(Odd, {"perhaps": 1})
