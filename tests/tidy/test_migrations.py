"""Migrations expand, and contract in a later version: the version before runs beside the newest schema (decision 44)."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.tidy.sources import ROOT, nodes_of, python_files, texts_of, tree_of

_CONTRACTS = re.compile(r"\bContracts (\d{4})\b")
_TAKES_AWAY = re.compile(r"\b(DROP|RENAME|SET\s+NOT\s+NULL)\b", re.IGNORECASE)
_LAST_BEFORE_THE_RULE = 9


def _number(path: Path) -> int:
    return int(path.stem[:4])


def _of_call(call: ast.Call) -> bool:
    """Whether an operation of Alembic's takes something away from the version before."""
    name = ast.unparse(call.func)
    given = {each.arg: ast.unparse(each.value) for each in call.keywords}
    if name.startswith(("op.drop_", "op.rename_")):
        return True
    if name == "op.alter_column":
        return (
            bool(given.keys() & {"new_column_name", "type_"})
            or "False" in given.get("nullable", "")
            or (given.get("server_default") == "None")
        )
    if name == "op.add_column":
        column = ast.unparse(call)
        return "nullable=False" in column and "server_default" not in column
    return False


def _takes_away(path: Path) -> bool:
    operations = any(isinstance(node, ast.Call) and _of_call(node) for node in nodes_of(path))
    beside = (ROOT / path).parent / f"{path.stem}_sql"
    statements = [text for _, text in texts_of(path)] + [file.read_text() for file in beside.glob("*.sql")]
    return operations or any(_TAKES_AWAY.search(text) for text in statements)


@pytest.mark.parametrize("path", python_files("migrations/versions"), ids=lambda path: path.stem)
def test_a_migration_that_takes_something_away_names_the_earlier_one_that_replaced_it(path: Path) -> None:
    named = _CONTRACTS.search(ast.get_docstring(tree_of(path)) or "")
    if _number(path) > _LAST_BEFORE_THE_RULE and _takes_away(path):
        assert named is not None, "say in its docstring which migration brought what replaces this: Contracts 00NN"
        assert int(named[1]) < _number(path)
    else:
        assert named is None


def test_the_rule_knows_what_takes_something_away() -> None:
    taking = {_number(path) for path in python_files("migrations/versions") if _takes_away(path)}
    assert {number for number in taking if number <= _LAST_BEFORE_THE_RULE} == {5, 6, 9}
