"""Each decision record says its status, its date and what enforces it, and that exists."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.tidy.sources import ROOT, tracked_files

_FOLDER = Path("docs/adr")
_RECORDS = [path for path in tracked_files() if path.parent == _FOLDER and path.name != "README.md"]
_STATUS = re.compile(
    r"^- \*\*Status\.\*\* (Accepted|Superseded by \[\d+\]\([\w-]+\.md\)), (20\d\d-\d\d-\d\d)[.,]", re.MULTILINE
)
_ENFORCED = re.compile(r"^- \*\*Enforced by\.\*\* (.+?)\n\n", re.MULTILINE | re.DOTALL)
_NAMED = re.compile(r"`tests/[\w/]+\.py::\w+`|\"[A-Z][^\"]+\"")


def _contracts() -> set[str]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return {contract["name"] for contract in settings["tool"]["importlinter"]["contracts"]}


@pytest.mark.parametrize("path", _RECORDS, ids=lambda path: path.stem)
def test_a_record_has_a_status_a_date_and_what_enforces_it(path: Path) -> None:
    text = (ROOT / path).read_text()
    enforced = _ENFORCED.search(text)

    assert re.match(rf"# {int(path.stem[:4])}\. ", text)
    assert _STATUS.search(text)
    # tests are held to the code with every other path of a page
    assert enforced is not None
    assert _NAMED.search(enforced[1])
    assert {name.strip('"') for name in re.findall(r'"[A-Z][^"]+"', enforced[1].replace("\n  ", " "))} <= _contracts()


def test_every_record_is_in_the_list_under_its_title() -> None:
    listed = (ROOT / _FOLDER / "README.md").read_text()
    titles = {path: (ROOT / path).read_text().split("\n", 1)[0].removeprefix("# ") for path in _RECORDS}

    assert [path for path, title in titles.items() if f"- [{title}]({path.name})\n" not in listed] == []
    numbers = [int(path.stem[:4]) for path in sorted(_RECORDS)]
    assert sorted({*range(1, numbers[-1] + 1)} - {*numbers}) == [36]
