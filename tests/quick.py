"""`make quick`: the tests that answer at once, and those of what was changed since the branch left main.

It runs every test that needs no database, the tidy tests, and the tests of the changed files: a file of `app/accounts` is tested
in `tests/accounts`, one of `sandbox` in `tests/sandbox`, `app/money.py` in `tests/test_money.py`; of changed tests themselves, the
changed files run. What looks from outside (the API, whole servers, crashes) is for `make test`, unless it was changed itself.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_TESTS = Path("tests")
_TIDY = _TESTS / "tidy"

# Processes are started by these tests, so that none answers at once, even if it asks for no database.
_FROM_OUTSIDE = tuple(_TESTS / name for name in ("browser", "crash", "server", "stock_clients"))

_DATABASE_FIXTURE = "server_url"
_OPTION = "--changed"


def changed_files() -> set[Path]:
    """The files that differ from where the branch left main, committed or not, and those about to be added."""
    base = _git("merge-base", "HEAD", "main") or ["HEAD"]
    named = [*_git("diff", "--name-only", base[0]), *_git("ls-files", "--others", "--exclude-standard")]
    return set(map(Path, named))


def tests_of(changed: Iterable[Path]) -> set[Path]:
    """The folders and files of tests for these files, relative to the root."""
    return {found for path in changed if (found := _tests_of(path)) is not None}


def _tests_of(path: Path) -> Path | None:
    top, *rest = path.parts
    if not rest:
        return None
    if top == "tests":
        return _of_test(path)
    inside = Path(*rest) if top == "app" else path
    if len(inside.parts) == 1:
        return _existing(_TESTS / f"test_{inside.stem}.py")
    # the nearest folder that there is: what is tested together is not always divided as the source is
    for folder in inside.parents:
        if folder.parts and (found := _existing(_TESTS / folder)):
            return found
    return None


def _of_test(path: Path) -> Path | None:
    """A changed test itself; for what tests of a folder share, the folder; nothing for what all of them share."""
    if path.name.startswith("test_"):
        return _existing(path)
    folder = path.parent
    return _existing(folder) if len(folder.parts) > 1 else None


def _existing(path: Path) -> Path | None:
    return path if (ROOT / path).exists() else None


def _git(*arguments: str) -> list[str]:
    """The lines that git answers; none if it refuses, as where there is no branch named main."""
    command = ("git", "-c", "safe.directory=*", *arguments)
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.splitlines()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The places that are tested completely, which the processes that share the tests are told as well."""
    parser.addoption(_OPTION, action="append", default=[], help="a folder or file of tests to run completely")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what neither answers at once nor is about what was changed."""
    options: list[str] = config.getoption(_OPTION) or []
    changed = [ROOT / each for each in options]
    chosen: list[pytest.Item] = []
    left: list[pytest.Item] = []
    for item in items:
        is_chosen = _answers_at_once(item) or any(item.path.is_relative_to(each) for each in changed)
        (chosen if is_chosen else left).append(item)
    config.hook.pytest_deselected(items=left)
    items[:] = chosen


def _answers_at_once(item: pytest.Item) -> bool:
    path = item.path.relative_to(ROOT)
    if path.is_relative_to(_TIDY):
        return True
    return not any(map(path.is_relative_to, _FROM_OUTSIDE)) and _DATABASE_FIXTURE not in _fixtures(item)


def _fixtures(item: pytest.Item) -> list[str]:
    """The names of the fixtures that a test asks for, and of those that they ask for."""
    return item.fixturenames if isinstance(item, pytest.Function) else []


def main() -> int:
    """Run the chosen tests, and say which ones they are."""
    changed = sorted(map(str, tests_of(changed_files())))
    print("Every test without a database, the tidy tests, and:", *(changed or ["nothing, for nothing was changed"]))
    command = [sys.executable, "-m", "pytest", "-q", "-n", "auto", "-p", "tests.quick"]
    return subprocess.run([*command, *(f"{_OPTION}={each}" for each in changed)], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
