"""A number that people or clients read comes from the constant that it describes: nobody types it into a text a second time."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.tidy.sources import PRODUCT, nodes_of, python_files, texts_of

# what names something or is an example, and the least that anything can have
_NO_LIMIT = re.compile(
    r"ISO 8601|ISO 4217|ISO 3166|E\.164|\+31612345678|2026-11-21T09:30:00Z|12\.50|\"42\"|(?<=up to )64 bits|53 bits|"
    r"Preflight: 1\b|1, 2, 3, …|1 to 12\b|\+00:00|\b[01] to $"
)
_OF_A_UNIT = re.compile(
    r"\b\d[\d,.]*[ -](characters?|letters|digits|rows|tries|days?|hours?|minutes?|weeks?|months?|MB|kB|MiB|megapixels?|codes|"
    r"addresses|workspaces)\b"
)


def _patterns(path_nodes: Iterator[ast.AST]) -> set[int]:
    """The lines of regular expressions."""
    return {
        line
        for node in path_nodes
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "re.compile"
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }


def test_a_description_has_no_number_but_from_a_constant() -> None:
    typed = [
        f"{path}:{line} {text!r}"
        for path in python_files("schema")
        for patterns in [_patterns(nodes_of(path))]
        for line, text in texts_of(path)
        if line not in patterns and re.search(r"[0-9]", _NO_LIMIT.sub("", text))
    ]
    assert typed == []


def test_a_text_has_no_length_of_time_and_no_size_but_from_a_constant() -> None:
    typed = [
        f"{path}:{line} {text!r}"
        for path in python_files(*PRODUCT)
        for patterns in [_patterns(nodes_of(path))]
        for line, text in texts_of(path)
        if line not in patterns and _OF_A_UNIT.search(text)
    ]
    assert typed == []
