"""What the repository's code defines, by file and by name: what pages are held to."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.tidy.sources import CODE, ROOT, python_files, texts_of, tracked_files, tree_of

# whoever writes about a folder of the code means one of these
FOLDERS = (*CODE, "catalogs", "docs", "web", "schema.graphql", ".ci")
_WORD = re.compile(r"[A-Za-z_]\w*")
_READ_AS_WORDS = {".sql", ".toml", ".graphql", ".mjs", ".yaml", ".yml", ""}


def _targets(node: ast.stmt) -> Iterator[str]:
    """The names that a statement defines where it stands."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.Assign(targets=targets):
            yield from (each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name))
        case ast.AnnAssign(target=ast.Name(id=name)):
            yield name
        case ast.If(body=body, orelse=orelse) | ast.Try(body=body, orelse=orelse):
            for each in (*body, *orelse):
                yield from _targets(each)
        case _:
            pass


def _defined(body: list[ast.stmt], prefix: str = "") -> Iterator[str]:
    for node in body:
        yield from (prefix + name for name in _targets(node))
        if isinstance(node, ast.ClassDef):
            yield from _defined(node.body, f"{prefix}{node.name}.")


@cache
def defined_in(path: Path) -> frozenset[str]:
    """The functions, classes and constants of a Python file, and the members of its classes as `Class.member`."""
    return frozenset(_defined(tree_of(path).body)) if path.suffix == ".py" else frozenset()


def defines(path: Path, name: str) -> bool:
    """Whether a file defines a name; a member may be named with its class or without. Of what is no Python any text will do."""
    if path.suffix != ".py":
        return path.suffix in _READ_AS_WORDS and name in (ROOT / path).read_text()
    found = defined_in(path)
    return name in found or ("." not in name and any(each.endswith(f".{name}") for each in found))


def files_defining(name: str) -> list[Path]:
    """The files of code that define a name, for whoever looks for it in the wrong one."""
    return [path for path in python_files(*CODE) if path.parts[0] != "tests" and defines(path, name)]


@cache
def modules() -> dict[str, Path]:
    """Every module and package of the product and the sandbox, by its dotted name."""
    found: dict[str, Path] = {}
    for path in python_files("app", "schema", "resolvers", "sandbox"):
        parts = path.with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def texts() -> frozenset[str]:
    """Every text that stands in the code by itself, such as a log line's name or an audited action, and the keys of catalogs."""
    tables = {
        ".".join(parts[start:])
        for path in tracked_files()
        if path.parts[0] == "catalogs"
        for header in re.findall(r"^\[+([\w.-]+)\]", (ROOT / path).read_text(), re.MULTILINE)
        for parts in [header.split(".")]
        for start in range(len(parts))
    }
    return frozenset(tables) | frozenset(
        node.value
        for path in python_files("app", "schema", "resolvers", "sandbox", "migrations")
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def _identifiers(path: Path) -> Iterator[str]:
    for node in ast.walk(tree_of(path)):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name) | ast.alias(name=name):
                yield from name.split(".")
            case ast.keyword(arg=str(name)):
                yield name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case _:
                pass


@cache
def words() -> frozenset[str]:
    """Every name of the code, and every word of its texts, of SQL, the schema, catalogs and the project's own settings.

    Of Python neither comments nor docstrings count: those may be stale themselves.
    """
    known: set[str] = set()
    for path in tracked_files():
        if path.parts[:2] == ("tests", "tidy"):
            continue
        if path.suffix == ".py":
            known.update(_identifiers(path))
            known.update(word for _, text in texts_of(path) for word in _WORD.findall(text))
        elif path.suffix in _READ_AS_WORDS | {".js", ".ts"} and path.name != ".gitignore":
            known.update(_WORD.findall((ROOT / path).read_text()))
    # settings are fields in small letters and variables in large ones
    known.update(word.upper() for word in defined_in(Path("app/settings.py")) for word in word.split("."))
    return frozenset(known)


@cache
def members() -> dict[str, frozenset[str]]:
    """The members of each class of the product, by the class's name; those of classes of one name together."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for path in python_files("app", "schema", "resolvers", "sandbox"):
        for name in defined_in(path):
            if "." in name:
                owner, member = name.rsplit(".", 1)
                found[owner.rsplit(".", 1)[-1]].add(member)
    return {name: frozenset(each) for name, each in found.items()}
