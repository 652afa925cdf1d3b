"""The repository's files, for rules about how they are written."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PRODUCT = ("app", "schema", "resolvers")
CODE = (*PRODUCT, "sandbox", "migrations", "bench", "tests")


@cache
def tracked_files() -> tuple[Path, ...]:
    """Every file that is in the repository or about to be added to it, relative to its root."""
    # whoever runs the tests need not own the checkout
    command = ("git", "-c", "safe.directory=*", "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return tuple(path for path in map(Path, filter(None, listed.split("\0"))) if (ROOT / path).is_file())


def python_files(*folders: str) -> list[Path]:
    """The Python files within these folders, or files of these names, relative to the root."""
    return [
        path
        for path in tracked_files()
        if path.suffix == ".py" and any(path.is_relative_to(folder) for folder in folders)
    ]


@cache
def tree_of(path: Path) -> ast.Module:
    """A file's syntax tree."""
    return ast.parse((ROOT / path).read_text())


def nodes_of(path: Path) -> Iterator[ast.AST]:
    """Every node of a file's syntax tree."""
    return ast.walk(tree_of(path))


def texts_of(path: Path) -> list[tuple[int, str]]:
    """The string literals of a file that are no docstrings, with their lines; of a formatted one each fixed part."""
    docstrings = {
        id(node.body[0].value)
        for node in nodes_of(path)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    return [
        (node.lineno, node.value)
        for node in nodes_of(path)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings
    ]
