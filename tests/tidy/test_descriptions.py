"""Whoever reads the API learns it from its descriptions: nothing in it is without one."""

from __future__ import annotations

from collections.abc import Iterator

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    build_schema,
)

from tests.tidy.sources import ROOT

# GraphQL's own, which every client knows
_BUILT_IN = {"String", "Int", "Float", "Boolean", "ID"}


def _descriptions() -> Iterator[tuple[str, str | None]]:
    """Everything in the exported schema by its name, such as `Query.node(id)`, with its description."""
    schema = build_schema((ROOT / "schema.graphql").read_text())
    for name, kind in schema.type_map.items():
        if name.startswith("__") or name in _BUILT_IN:
            continue
        yield name, kind.description
        if isinstance(kind, GraphQLEnumType):
            yield from ((f"{name}.{value}", each.description) for value, each in kind.values.items())
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
            for field, each in kind.fields.items():
                yield from _of_field(f"{name}.{field}", each)


def _of_field(name: str, field: GraphQLField | GraphQLInputField) -> Iterator[tuple[str, str | None]]:
    yield name, field.description
    arguments: dict[str, GraphQLArgument] = getattr(field, "args", {})
    yield from ((f"{name}({argument})", each.description) for argument, each in arguments.items())


def test_every_type_field_argument_and_value_is_described() -> None:
    described = dict(_descriptions())

    assert len(described) > 100
    assert [name for name, description in described.items() if not (description or "").strip()] == []


def test_every_description_is_a_sentence() -> None:
    unfinished = [
        name
        for name, description in _descriptions()
        if description and not (description.strip()[0].isupper() or description.strip()[0].isdigit())
    ]
    assert unfinished == []
