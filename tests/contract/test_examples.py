"""The examples in the documentation: each can be pasted into GraphiQL as it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from graphql import build_schema, parse, validate

from tests.tidy.sources import ROOT

_SCHEMA = build_schema((ROOT / "schema.graphql").read_text())
_BLOCK = re.compile(r"^( *)```graphql\n(.*?)^\1```", re.DOTALL | re.MULTILINE)


def _examples() -> Iterator[tuple[str, str]]:
    """The GraphQL examples of every page, by page and line."""
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        text = page.read_text()
        for block in _BLOCK.finditer(text):
            yield f"{page.relative_to(ROOT)}:{text.count(chr(10), 0, block.start()) + 1}", block[2]


_EXAMPLES = dict(_examples())


def test_the_examples_are_found() -> None:
    assert len(_EXAMPLES) > 5


@pytest.mark.parametrize("where", _EXAMPLES)
def test_an_example_is_a_valid_document_as_it_stands(where: str) -> None:
    assert validate(_SCHEMA, parse(_EXAMPLES[where])) == []
