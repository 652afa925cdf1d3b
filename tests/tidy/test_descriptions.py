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
    build_schema,
)

from tests.tidy.sources import ROOT, nodes_of, python_files

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
