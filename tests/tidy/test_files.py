"""What no file of the repository may hold: addresses of package indexes, paths of one machine, secrets, files that are made."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.tidy.sources import ROOT, tracked_files

_THIS_FILE = Path(__file__).relative_to(ROOT)
_INDEX = re.compile(
    r"https?://[^\s\"']*(pypi\.org/(simple|pypi)|pythonhosted|/simple\b|registry\.npm|registry\.yarn|artifactory|nexus|devpi|/npm/)"
    r"|(^|\s)--?(extra-)?index-url[\s=]+\S",
    re.MULTILINE,
)
_MACHINE = re.compile(r"(?<![\w./:-])/(work|root|home|Users|tmp/[a-z0-9])[/\w]")
_SECRET = re.compile(
    r"\b(sk|rk)_live_[0-9A-Za-z]{10,}|\bwhsec_[0-9A-Za-z]{20,}|-----BEGIN [A-Z ]*PRIVATE KEY-----|\bAKIA[0-9A-Z]{16}\b"
)
_MADE = (".pyc", ".log", ".sqlite", ".pid", ".egg-info", ".tsbuildinfo")


def _lines_with(pattern: re.Pattern[str]) -> list[str]:
    found: list[str] = []
    for path in tracked_files():
        try:
            text = (ROOT / path).read_text()
        except UnicodeDecodeError:
            continue
        if path != _THIS_FILE:
            found += [
                f"{path}:{text.count(chr(10), 0, match.start()) + 1}: {match[0]}" for match in pattern.finditer(text)
            ]
    return found


@pytest.mark.parametrize("pattern", [_INDEX, _MACHINE, _SECRET], ids=["package index", "machine path", "secret"])
def test_no_file_holds(pattern: re.Pattern[str]) -> None:
    assert _lines_with(pattern) == []


def test_no_file_is_kept_that_is_made_from_others() -> None:
    assert [path for path in tracked_files() if path.suffix in _MADE or "node_modules" in path.parts] == []


def test_every_requirement_is_locked_by_its_hash() -> None:
    requirements = (ROOT / "requirements.lock").read_text().replace("\\\n", " ").splitlines()
    pinned = [line for line in requirements if line.strip() and not line.lstrip().startswith("#")]

    assert pinned
    assert [line for line in pinned if "==" not in line or "--hash=sha256:" not in line] == []


def test_every_package_of_the_web_pages_is_locked_without_an_address() -> None:
    locks = [path for path in tracked_files() if path.name == "package-lock.json"]

    assert locks
    for path in locks:
        packages = json.loads((ROOT / path).read_text())["packages"]
        assert [name for name, package in packages.items() if "resolved" in package] == []
