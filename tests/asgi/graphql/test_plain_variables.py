"""Variables that are made the short way are what graphql-core makes of them, and what is wrong is told by graphql-core alone."""

from __future__ import annotations

from typing import Any

from graphql import GraphQLSchema, OperationDefinitionNode, build_schema, parse
from graphql.execution.values import VariableValues, get_variable_values
from hypothesis import given, settings
from hypothesis import strategies as st

from app.asgi.graphql.plain_variables import PlainVariables, plain_variables
from schema.root import graphql_schema

_SDL = """
  enum Colour { RED BLUE }
  input Leaf { name: String! id: ID size: Int = 3 colour: Colour = RED tags: [String!] wide: [[Float]!] yes: Boolean }
  input Branch { leaves: [Leaf!]! spare: [Leaf] = null one: Leaf }
  input Tree { self: Tree leaves: [Leaf] }
  input Either @oneOf { a: Int b: String }
  input WithDefault { leaves: [Leaf!] = [{name: "a"}] }
  type Query { f(a: Branch, b: [Leaf!], c: Tree, d: [Either!], e: [WithDefault!], g: Int, h: Leaf): Int }
"""
_TOY = build_schema(_SDL)
_EVENTS = "mutation ($input: RecordUsageInput!) { recordUsage(input: $input) { accepted } }"


def _prepared(schema: GraphQLSchema, text: str) -> tuple[OperationDefinitionNode, PlainVariables | None]:
    document = parse(text)
    operation = document.definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    return operation, plain_variables(schema, document, operation)


def _is_short(text: str) -> bool:
    return _prepared(_TOY, text)[1] is not None


def _agree(schema: GraphQLSchema, text: str, given: dict[str, Any]) -> bool:
    """Whether they were made the short way; whatever was, is what graphql-core makes."""
    operation, plain = _prepared(schema, text)
    assert plain is not None
    expected = get_variable_values(schema, operation.variable_definitions or (), given)
    values = plain.values(given)
    if values is None:
        return False
    assert isinstance(expected, VariableValues)
    # in their order, and of the same kinds
    assert repr(values.coerced) == repr(expected.coerced)
    assert list(values.sources) == list(expected.sources)
    assert [each.value for each in values.sources.values()] == [each.value for each in expected.sources.values()]
    assert [_type(each) for each in values.sources.values()] == [_type(each) for each in expected.sources.values()]
    return True


def _type(source: Any) -> str:
    return str(source.signature.type)


_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**33), 2**33),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["", "a", "RED", "BLUE", "GREEN", "1", "1.50", "-2", "1e5", "2026-11-21T09:30:00Z", "2026-11-21"]),
)
_JSON = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner), max_leaves=6
)
_LEAF = st.fixed_dictionaries(
    {"name": st.text(max_size=3)},
    optional={
        "id": st.text(max_size=3) | st.integers(0, 9) | _SCALARS,
        "size": st.integers(-5, 5) | _SCALARS,
        "colour": st.sampled_from(["RED", "BLUE", None]) | _SCALARS,
        "tags": st.lists(st.text(max_size=2), max_size=2) | _JSON,
        "wide": st.lists(st.lists(st.floats(-1, 1) | st.none(), max_size=2), max_size=2) | _JSON,
        "yes": st.booleans() | _SCALARS,
        "unknown": _SCALARS,
    },
)
_BRANCH = st.fixed_dictionaries(
    {"leaves": st.lists(_LEAF, max_size=3) | _LEAF | _JSON},
    optional={"spare": st.lists(_LEAF | st.none(), max_size=2), "one": _LEAF},
)


@given(
    st.fixed_dictionaries(
        {}, optional={"a": _BRANCH | _JSON, "b": st.lists(_LEAF, max_size=3) | _JSON, "g": _SCALARS, "z": _SCALARS}
    )
)
@settings(max_examples=300, deadline=None)
def test_whatever_is_sent_both_ways_agree(given: dict[str, Any]) -> None:
    _agree(_TOY, "query ($a: Branch, $b: [Leaf!], $g: Int) { f(a: $a, b: $b, g: $g) }", given)


_EVENT = st.fixed_dictionaries(
    {
        "resource": st.sampled_from(["enrichments", "bananas"]) | _SCALARS,
        "quantity": st.sampled_from(["1", "0.5", "-1", "1e3", "NaN", "9" * 39]) | _SCALARS,
        "eventId": st.text(max_size=4),
    },
    optional={
        "workspaceId": st.text(max_size=4) | _SCALARS,
        "externalId": st.text(max_size=4) | _SCALARS,
        "occurredAt": st.sampled_from(
            ["2026-11-21T09:30:00Z", "2026-11-21T09:30:00+01:00", "2026-13-01T00:00:00Z", "now"]
        ),
        "subject": _SCALARS,
        "more": _SCALARS,
    },
)


@given(st.fixed_dictionaries({"input": st.fixed_dictionaries({"events": st.lists(_EVENT, max_size=4)}) | _JSON}))
@settings(max_examples=300, deadline=None)
def test_so_they_do_for_events_of_usage(given: dict[str, Any]) -> None:
    _agree(graphql_schema, _EVENTS, given)


def test_good_events_are_made_the_short_way() -> None:
    event = {"workspaceId": "Workspace_x", "resource": "a", "quantity": "1.50", "eventId": "1"}
    more = {"occurredAt": "2026-11-21T09:30:00Z", "subject": None, "externalId": "crm"}

    assert _agree(graphql_schema, _EVENTS, {"input": {"events": [event, event | more]}})
    many = "mutation ($events: [UsageEventInput!]!) { recordUsage(input: {events: $events}) { accepted } }"
    assert _agree(graphql_schema, many, {"events": [event]})


def test_what_is_unusual_is_left_to_graphql_core() -> None:
    for text in (
        "query ($g: Int) { f(g: $g) }",
        "query ($h: Leaf) { f(h: $h) }",
        "query ($c: Tree) { f(c: $c) }",
        "query ($d: [Either!]) { f(d: $d) }",
        "query ($e: [WithDefault!]) { f(e: $e) }",
        "query ($b: [Leaf!], $g: Int = 3) { f(b: $b, g: $g) }",
        "{ f }",
    ):
        assert not _is_short(text), text
    # a value that stands for a list of one, and one that is missing
    assert not _agree(_TOY, "query ($b: [Leaf!]) { f(b: $b) }", {"b": {"name": "a"}})
    assert not _agree(_TOY, "query ($b: [Leaf!]!) { f(b: $b) }", {})
    assert _agree(_TOY, "query ($b: [Leaf!]) { f(b: $b) }", {})
