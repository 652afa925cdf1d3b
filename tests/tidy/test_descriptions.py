"""Whoever reads the API learns it from its descriptions: nothing in it is without one."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import pairwise

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
)

from app import errors
from app.errors import ProtocolError
from tests.tidy.sources import ROOT, nodes_of, python_files

# GraphQL's own, which every client knows
_BUILT_IN = {"String", "Int", "Float", "Boolean", "ID"}


def _schema() -> GraphQLSchema:
    return build_schema((ROOT / "schema.graphql").read_text())


def _descriptions() -> Iterator[tuple[str, str | None]]:
    """Everything in the exported schema by its name, such as `Query.node(id)`, with its description."""
    schema = _schema()
    yield "schema", schema.description
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


# words that look like names of the schema, and whose they are
_OF_OTHERS = {"confirmCardPayment", "retryAfterSeconds", "requestId"}
_PROTOCOL_CODES = {
    each.code for each in vars(errors).values() if isinstance(each, type) and issubclass(each, ProtocolError)
}

_NAME_OF_A_FIELD = re.compile(r"\b[a-z]+(?:[A-Z][a-z0-9]*)+\b")
_NAME_OF_A_VALUE = re.compile(r"\b[A-Z]{2,}(?:_[A-Z]+)+\b")


def _names(schema: GraphQLSchema) -> Iterator[str]:
    for kind in schema.type_map.values():
        if isinstance(kind, GraphQLEnumType):
            yield from kind.values
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
            for field, each in kind.fields.items():
                yield field
                yield from getattr(each, "args", {})


def test_a_description_names_only_what_is_in_the_schema() -> None:
    known = {*_names(_schema()), *_OF_OTHERS, *_PROTOCOL_CODES}

    unknown = {
        name: found
        for name, description in _descriptions()
        if (
            found := {*_NAME_OF_A_FIELD.findall(description or ""), *_NAME_OF_A_VALUE.findall(description or "")}
            - known
        )
    }
    assert unknown == {}


def test_a_length_is_told_in_characters() -> None:
    of_letters = re.compile(r"\d letters (?!\(A to Z\))|at most [\d,]+ letters")
    assert [name for name, description in _descriptions() if of_letters.search(description or "")] == []


_ACTION = re.compile(r"[a-z_]+\.[a-z_]+")


def _summaries() -> Iterator[tuple[str, str]]:
    """What the audit log says for people, by where it is written: the text behind an action's name, and what is named summary."""
    for path in python_files("app/accounts", "app/billing", "app/flows"):
        for node in nodes_of(path):
            match node:
                case ast.Assign(targets=[ast.Name(id="summary")], value=ast.Constant() | ast.JoinedStr() as text):
                    yield f"{path}:{node.lineno}", ast.unparse(text)
                case ast.Call(args=beside) | ast.Tuple(elts=beside):
                    for action, text in pairwise(beside):
                        if _is_action(action) and isinstance(text, ast.Constant | ast.JoinedStr):
                            yield f"{path}:{text.lineno}", ast.unparse(text)
                case _:
                    pass


def _is_action(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and bool(_ACTION.fullmatch(node.value))


def test_every_summary_in_the_audit_log_is_a_sentence_with_a_full_stop() -> None:
    summaries = dict(_summaries())

    assert len(summaries) > 25
    assert {where: text for where, text in summaries.items() if not text.strip("f\"'").endswith(".")} == {}
