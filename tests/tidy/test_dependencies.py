"""What `pyproject.toml` names is used: each dependency is imported, each module of SQL has its one alias."""

from __future__ import annotations

import ast
import re
import tomllib
from importlib.metadata import packages_distributions
from typing import Any

from tests.tidy.sources import CODE, PRODUCT, ROOT, nodes_of, python_files

_PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())

_BY_NAME = {
    "httptools": "uvicorn reads HTTP through it, where it is installed",
    "websockets": "uvicorn speaks WebSocket through it, by the name of the protocol in app/server",
    "import-linter": "`make check` runs lint-imports",
    "pyright": "`make check` runs it",
    "pytest-xdist": "`make test` runs pytest -n",
    "ruff": "`make check` runs it",
    "setuptools": "installs the checkout into the virtual environment",
}
"""Dependencies that nothing has to import, and what needs them."""


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _required(*lists: list[str]) -> set[str]:
    return {_normalized(re.split(r"[^\w.-]", entry, maxsplit=1)[0]) for entries in lists for entry in entries}


def _imported(*folders: str) -> set[str]:
    """The distributions that the Python files of these folders import."""
    distributions = packages_distributions()
    modules = {
        name
        for path in python_files(*folders)
        for node in nodes_of(path)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names])
    }
    return {_normalized(each) for module in modules for each in distributions.get(module.split(".")[0], [])}


def test_every_dependency_is_imported_or_needed_by_name() -> None:
    project = _PROJECT["project"]
    product, tools = _required(project["dependencies"]), _required(*project["optional-dependencies"].values())

    assert product - _imported(*PRODUCT, "sandbox", "migrations") - _BY_NAME.keys() == set()
    assert tools - _imported(*CODE) - _BY_NAME.keys() == set()
    assert _BY_NAME.keys() - product - tools == set()


def test_every_module_of_sql_has_its_one_alias() -> None:
    aliases = _PROJECT["tool"]["ruff"]["lint"]["flake8-import-conventions"]["aliases"]
    modules = {f"app.store.{path.stem}" for path in python_files("app/store") if path.stem != "__init__"}

    assert set(aliases) == modules
    assert all(alias.endswith("_store") for alias in aliases.values())
    assert len(set(aliases.values())) == len(modules)
