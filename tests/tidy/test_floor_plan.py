"""The floor plan: which folders there are, how long things may be, and which words name nothing."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.tidy.sources import CODE, ROOT, nodes_of, python_files, tracked_files

_TOP = {
    *(".ci", "app", "schema", "resolvers", "migrations", "sandbox", "catalogs", "web", "tests", "bench", "docs"),
}
_ROOMS = {
    *("asgi", "jobs", "flows", "billing", "metering", "accounts", "ledger", "payments", "messages", "live", "store"),
    *("db", "catalog", "oidc", "cli", "server"),
}
_MODULES = {
    *("__init__", "__main__", "main", "settings", "setting_values", "logs", "faults"),
    *("object_storage", "money", "ids", "clock", "errors", "error_codes", "idempotency", "wording"),
}
_EMPTY_WORDS = re.compile(r"(^|_)(utils?|helpers?|managers?|services?|common|misc|stuff)(_|$)")
_EMPTY_CLASS = re.compile(r"(Utils?|Helpers?|Manager|Service|Singleton)$")

_LONGEST_FUNCTION_LINES = 69
_LONGEST_FILE_LINES = 400


def _functions() -> Iterator[tuple[str, int]]:
    for path in python_files(*CODE):
        for node in nodes_of(path):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno is not None
                yield f"{path}:{node.lineno} {node.name}", node.end_lineno - node.lineno + 1


def test_there_are_no_folders_beside_those_of_the_plan() -> None:
    assert {path.parts[0] for path in tracked_files() if len(path.parts) > 1} - _TOP == set()


def test_there_are_no_rooms_in_the_app_beside_those_of_the_plan() -> None:
    files = python_files("app")
    assert {path.parts[1] for path in files if len(path.parts) > 2} - _ROOMS == set()
    assert {path.stem for path in files if len(path.parts) == 2} - _MODULES == set()


def test_every_room_says_what_it_is_for() -> None:
    silent = [
        path
        for path in python_files("app", "schema", "resolvers", "sandbox")
        if not ast.get_docstring(ast.parse((ROOT / path).read_text()))
    ]
    assert silent == []


def test_no_module_or_class_is_named_by_a_word_that_says_nothing() -> None:
    modules = [path for path in python_files(*CODE) for part in path.with_suffix("").parts if _EMPTY_WORDS.search(part)]
    classes = [
        f"{path}:{node.lineno} {node.name}"
        for path in python_files(*CODE)
        for node in nodes_of(path)
        if isinstance(node, ast.ClassDef) and _EMPTY_CLASS.search(node.name)
    ]
    assert modules == []
    assert classes == []


def test_no_function_is_longer_than_a_screen() -> None:
    assert [function for function, lines in _functions() if lines > _LONGEST_FUNCTION_LINES] == []


def test_no_file_is_longer_than_can_be_kept_in_mind() -> None:
    lengths = {path: len((ROOT / path).read_text().splitlines()) for path in python_files(*CODE)}
    assert {path: length for path, length in lengths.items() if length > _LONGEST_FILE_LINES} == {}
