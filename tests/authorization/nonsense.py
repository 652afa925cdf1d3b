"""Input of the right types that no mutation accepts, made from the input that a row of the authorization table gives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
)

from schema.root import graphql_schema
from tests.authorization.table import Variables

_TEXTS = ("", " \u202e", "x" * 5_000)
_OF_SCALARS: dict[str, Any] = {
    "Int": -1,
    "Decimal": "-1",
    "BigInt": "-1",
    "DateTime": "2000-01-01T00:00:00Z",
    "Boolean": False,
}


def nonsense_for(field: str, variables: Variables) -> Iterator[Variables]:
    """The input with every member but its ids replaced, by one kind of nonsense after the other, and by each value of an enum."""
    kind = _input_of(field)
    if kind is None:
        return
    for number in range(_most_values(kind)):
        given = {
            name: _nonsense(member.type, number) for name, member in kind.fields.items() if not _is_id(member.type)
        }
        yield {"input": {**variables["input"], **given}}


def without_ids(field: str, variables: Variables) -> Variables:
    """The input with a text that is no id in the place of each."""
    kind = _input_of(field)
    if kind is None:
        return variables
    ids = {name: "no id" for name, member in kind.fields.items() if _is_id(member.type)}
    return {"input": {**variables["input"], **ids}}


def _input_of(field: str) -> GraphQLInputObjectType | None:
    mutations = graphql_schema.type_map["Mutation"]
    assert isinstance(mutations, GraphQLObjectType)
    argument = mutations.fields[field.removeprefix("Mutation.")].args.get("input")
    if argument is None:
        return None
    kind = _named(argument.type)
    assert isinstance(kind, GraphQLInputObjectType)
    return kind


def _named(kind: Any) -> Any:
    return _named(kind.of_type) if isinstance(kind, GraphQLNonNull | GraphQLList) else kind


def _is_id(kind: Any) -> bool:
    named = _named(kind)
    return isinstance(named, GraphQLScalarType) and named.name == "ID"


def _most_values(kind: GraphQLInputObjectType) -> int:
    enums = [_named(member.type) for member in kind.fields.values()]
    return max([len(_TEXTS), *(len(each.values) for each in enums if isinstance(each, GraphQLEnumType))])


def _nonsense(kind: Any, number: int) -> Any:
    if isinstance(kind, GraphQLNonNull):
        return _nonsense(kind.of_type, number)
    if isinstance(kind, GraphQLList):
        return [] if number % 2 == 0 else [_nonsense(kind.of_type, number)] * 2
    if isinstance(kind, GraphQLEnumType):
        names = list(kind.values)
        return names[number % len(names)]
    if isinstance(kind, GraphQLInputObjectType):
        return {name: _nonsense(member.type, number) for name, member in kind.fields.items()}
    return _OF_SCALARS.get(kind.name, _TEXTS[number % len(_TEXTS)])
