"""Rules that the code keeps everywhere: exact money, time from the clock, one place that commits, one that knows Stripe."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.tidy.sources import CODE, PRODUCT, ROOT, nodes_of, python_files, texts_of, tracked_files

_MONEY = (
    *("app/money.py", "app/ledger", "app/billing", "app/metering", "app/payments", "app/flows", "app/catalog"),
    *("app/store", "app/db/tables", "resolvers", "schema"),
)
# Seconds are measured, not counted: they alone may be fractions.
_OF_TIME = re.compile(r"(seconds|timeout)$", re.IGNORECASE)

_DATABASE_TIME = re.compile(
    r"\b(now\s*\(|current_timestamp|current_date|current_time\b|localtime|localtimestamp|"
    r"(clock|statement|transaction)_timestamp\s*\()",
    re.IGNORECASE,
)
# the tables of the queue's library compare with the database's own time
_QUEUE_TABLES = Path("migrations/versions/0001_system.py")

_ROW_LOCK = re.compile(r"\bFOR (NO KEY )?(UPDATE|SHARE)\b")
# locks within the very statement that changes or deletes the rows: nobody can take it for a read
_CHANGES_WHAT_IT_LOCKS = {"forget_keys", "mark_due"}

_MAY_COMMIT = {
    Path("app/db/unit_of_work.py"),
    # runs the migrations, which are no unit of work
    Path("app/db/migrate.py"),
    Path("migrations/env.py"),
}
# A connection that is not a session's commits each statement by itself. Who has one, and what is done on it.
_COMMITS_EACH_STATEMENT = {
    Path("app/db/engine.py"): "hands such connections out: `raw` from the pool, `open_connection` outside it",
    Path("app/db/readers.py"): "reads, on connections that refuse to write",
    Path("app/ledger/committer.py"): "a batch of plain spends is one statement, and so one transaction",
    Path("app/store/ledger_posting.py"): "sends that statement",
    Path("app/flows/provider/event_endpoint.py"): "holds a lock across calls to Stripe; writes nothing",
    Path("app/jobs/job_consumer.py"): "the queue's library takes and ends jobs",
}
_HANDS_ONE_OUT = re.compile(r"(\.raw|\bopen_connection|\basyncpg\.connect|\basyncpg\.create_pool)$")


# what clients are shown and nothing is counted with
_SHOWN_ONLY = {"ratio"}


def _is_of_time(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    """Whether a float stands for a length of time: in something named so, or given to a wait. Or for what is only shown."""
    while (parent := parents.get(node)) is not None:
        match parent:
            case ast.arg(arg=name) | ast.keyword(arg=str(name)):
                return bool(_OF_TIME.search(name))
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
                return bool(_OF_TIME.search(name))
            case ast.arguments():
                return _default_is_of_time(parent, node)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef() | ast.Module():
                return isinstance(parent, ast.FunctionDef) and bool(
                    _OF_TIME.search(parent.name) or parent.name in _SHOWN_ONLY
                )
            case _:
                node = parent
    return False


def _default_is_of_time(arguments: ast.arguments, default: ast.AST) -> bool:
    positional = [*arguments.posonlyargs, *arguments.args]
    pairs = [
        *zip(positional[len(positional) - len(arguments.defaults) :], arguments.defaults, strict=True),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    return any(value is default and bool(_OF_TIME.search(argument.arg)) for argument, value in pairs)


def test_no_float_touches_money() -> None:
    found: list[str] = []
    for path in python_files(*_MONEY):
        parents = {child: node for node in nodes_of(path) for child in ast.iter_child_nodes(node)}
        found += [
            f"{path}:{node.lineno}"
            for node in parents
            if (isinstance(node, ast.Constant) and isinstance(node.value, float))
            or (isinstance(node, ast.Name) and node.id == "float")
            # a pattern that finds a float does so to refuse it
            if not isinstance(parents[node], ast.MatchClass) and not _is_of_time(node, parents)
        ]
    assert found == []


def test_no_sql_asks_the_database_for_the_time() -> None:
    found = [
        f"{path}:{line}"
        for path in python_files("app", "sandbox", "migrations")
        if path != _QUEUE_TABLES
        for line, text in texts_of(path)
        if _DATABASE_TIME.search(text)
    ]
    found += [
        f"{path}:{node.lineno}"
        for path in python_files("app", "sandbox", "migrations")
        for node in nodes_of(path)
        if isinstance(node, ast.Attribute)
        and ast.unparse(node) in ("func.now", "sa.func.now", "func.current_timestamp")
    ]
    found += [
        str(path)
        for path in tracked_files()
        if path.suffix == ".sql" and _DATABASE_TIME.search((ROOT / path).read_text())
    ]
    assert found == []


def test_only_the_unit_of_work_commits() -> None:
    committing = {
        path
        for path in python_files(*PRODUCT, "migrations")
        for node in nodes_of(path)
        if isinstance(node, ast.Attribute) and node.attr == "commit"
    }
    assert committing == _MAY_COMMIT


def _has_own_connection(node: ast.AST) -> bool:
    """Whether this takes a connection that commits by itself, says that it is given one, or asks the engine to commit by itself."""
    match node:
        case ast.Call(func=called):
            return bool(_HANDS_ONE_OUT.search(ast.unparse(called)))
        case ast.arg(annotation=ast.expr() as kind):
            return ast.unparse(kind) in ("Connection", "asyncpg.Connection")
        case ast.Constant(value=str(text)):
            return text.upper() == "AUTOCOMMIT"
        case _:
            return False


def test_only_those_listed_write_on_a_connection_that_commits_each_statement() -> None:
    having = {path for path in python_files(*PRODUCT) for node in nodes_of(path) if _has_own_connection(node)}
    # of migrations alone it is SQLAlchemy's, within their transaction
    assert having - _MAY_COMMIT == set(_COMMITS_EACH_STATEMENT)


def test_only_the_committer_sends_the_statement_that_commits_by_itself() -> None:
    sending = {
        path
        for path in python_files(*PRODUCT)
        for node in nodes_of(path)
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("spend_alone")
    }
    assert sending == {Path("app/ledger/committer.py")}


def test_only_the_gateway_knows_stripes_library() -> None:
    importing = {
        path
        for path in python_files(*PRODUCT)
        for node in nodes_of(path)
        if (isinstance(node, ast.Import) and any(name.name.split(".")[0] == "stripe" for name in node.names))
        or (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "stripe")
    }
    assert importing
    assert [path for path in importing if not path.match("app/payments/stripe_*.py")] == []


def test_the_settings_alone_read_the_environment() -> None:
    reading = {
        path
        for path in python_files(*PRODUCT)
        for node in nodes_of(path)
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("os.environ", "os.getenv", "environ.get")
    }
    assert reading == set()


def test_nothing_is_left_for_later() -> None:
    unfinished = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    found = [
        f"{path}:{number}"
        for path in python_files(*CODE)
        if path != Path(__file__).relative_to(ROOT)
        for number, line in enumerate((ROOT / path).read_text().splitlines(), 1)
        if unfinished.search(line)
    ]
    assert found == []


def _locks(node: ast.AST) -> bool:
    """Whether a statement in it takes row locks: `with_for_update`, or SQL that says FOR UPDATE or FOR SHARE."""
    return any(
        (isinstance(each, ast.Attribute) and each.attr == "with_for_update")
        or (isinstance(each, ast.Constant) and isinstance(each.value, str) and _ROW_LOCK.search(each.value))
        for each in ast.walk(node)
    )


def test_a_function_that_locks_rows_says_so_in_its_name_or_by_a_parameter() -> None:
    """A read that is taken for a lock, or a lock that is taken for a read, is a race."""
    locking = [
        (path, node)
        for path in python_files("app")
        for node in nodes_of(path)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _locks(node)
    ]
    silent = [
        f"{path}:{node.lineno} {node.name}"
        for path, node in locking
        if "lock" not in node.name
        and "lock" not in {argument.arg for argument in (*node.args.args, *node.args.kwonlyargs)}
        and node.name not in _CHANGES_WHAT_IT_LOCKS
    ]
    assert len(locking) > 10
    assert silent == []
