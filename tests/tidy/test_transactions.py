"""Who opens a unit of work, and that none is open across a call to the outside; README says the same under "Transactions".

A function that gets a `Session` works in its caller's unit. A unit is opened by the resolver of a plain mutation, by a job or by a
command, one each; or by a flow, which gets the database and opens several, with something between them that no transaction may
wait for. Flows with calls to the payment provider are in `app/flows`. All others are listed here, each with what lies between.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from tests.tidy.sources import PRODUCT, nodes_of, python_files, tree_of

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

_TOP = ("resolvers", "app/jobs", "app/cli")
_FLOWS = "app/flows"

# what opens units of its own elsewhere, and what lies between them or must stay whatever becomes of the rest
_OPENS_ITS_OWN = {
    "app/accounts/avatars/user_avatars.py": "pictures are put into and erased from the object storage between units",
    "app/accounts/people/email_addresses.py": "a rate limit is counted first, and stays counted",
    "app/accounts/people/oidc_identities.py": "the identity provider is asked before the account is looked up or made",
    "app/accounts/people/password_changes.py": "a password is hashed before, and the count of wrong ones stays",
    "app/accounts/people/reauthentication.py": "the try of a code stays counted when the code is wrong",
    "app/accounts/people/sessions.py": "the use of a session is noted though the request then fails",
    "app/accounts/people/sign_in.py": "a password is hashed before, and the count of failures stays",
    "app/accounts/people/sign_up.py": "a password is hashed before, and the rate limit stays counted",
    "app/accounts/security/rate_limits.py": "what is counted stays when the work is refused",
    "app/accounts/workspaces/invitations.py": "a rate limit is counted first, and stays counted",
    "app/accounts/workspaces/organizations.py": "a rate limit is counted first, and taken back when the work is refused",
    "app/accounts/workspaces/phone_verification.py": "the text message is sent between units, and the try of a code stays counted",
    "app/billing/purchases/credit_movements.py": "what falls due is posted for the worker, which has no session",
    "app/ledger/committer.py": "movements of many callers share a unit",
    "app/messages/development_inbox.py": "stands in for a provider, which keeps what it was sent",
    "app/metering/ingest.py": "what was counted stays counted, whether or not it comes to be paid for",
    "app/metering/paying.py": "what is counted is paid for in units of its own, one a workspace",
    "app/server/demo_user.py": "makes the demo user before anything runs; its password is hashed before",
}
# jobs of several units, one after the other
_OF_SEVERAL_UNITS = {
    ("app/jobs/due_works.py", "_clean"): "two kinds of old rows, of which neither is to wait for the other's locks",
}

# what waits for something that is no statement
_OUTSIDE = {
    *(
        "Gateway",
        "FlowContext",
        "Database",
        "Context",
        "Runtime",
        "Backend",
        "Committer",
        "Issuer",
        "SmsSender",
        "Mailer",
    ),
    *("AvatarImages", "Storage", "Passwords"),
}
_WAITS = {"gateway", "database", "committer", "sms_sender"}
_OPENS = {"transact", "read", "raw"}


def _functions(path: Path) -> Iterator[Function]:
    yield from (node for node in nodes_of(path) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def _given(function: Function) -> set[str]:
    """The types of what a function is given."""
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return {ast.unparse(each.annotation) for each in arguments if each.annotation is not None}


def _calls(node: ast.AST) -> Iterator[str]:
    """What is called within, by its last name; `partial(transact, …)` calls `transact` too."""
    for each in ast.walk(node):
        if isinstance(each, ast.Call):
            yield ast.unparse(each.func).rsplit(".", 1)[-1]
            yield from ("transact" for given in each.args if isinstance(given, ast.Name) and given.id == "transact")


def _units(node: ast.AST) -> int:
    return sum(name == "transact" for name in _calls(node))


def _is_within(path: Path, *folders: str) -> bool:
    return any(path.is_relative_to(folder) for folder in folders)


def test_a_function_with_a_session_opens_no_unit_and_calls_nothing_outside() -> None:
    found: list[str] = []
    given_both: set[tuple[str, str]] = set()
    for path in python_files(*PRODUCT):
        for function in _functions(path):
            if "Session" not in _given(function):
                continue
            if _given(function) & _OUTSIDE:
                given_both.add((str(path), function.name))
            opened = _OPENS & {
                ast.unparse(each.func).rsplit(".", 1)[-1]
                for each in ast.walk(function)
                if isinstance(each, ast.Call) and ("database" in ast.unparse(each.func) or _units(each))
            }
            reached = {each.attr for each in ast.walk(function) if isinstance(each, ast.Attribute)} & _WAITS
            found += [f"{path}:{function.lineno} {function.name}: {name}" for name in sorted(opened | reached)]
    assert found == []
    assert given_both == set()


def test_units_are_opened_at_the_top_by_flows_and_by_those_listed_with_a_reason() -> None:
    opening = {
        str(path)
        for path in python_files(*PRODUCT)
        if not _is_within(path, *_TOP, _FLOWS) and path != Path("app/db/unit_of_work.py") and _units(tree_of(path))
    }
    assert opening == set(_OPENS_ITS_OWN)
    assert all(len(reason.split()) >= 5 for reason in _OPENS_ITS_OWN.values())


def test_a_plain_mutation_a_command_and_a_job_are_one_unit() -> None:
    several = {
        (str(path), node.name)
        for path in python_files(*_TOP)
        for node in tree_of(path).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _units(node) > 1
    }
    assert several == set(_OF_SEVERAL_UNITS)


def test_what_opens_units_of_its_own_is_given_the_database_and_no_session() -> None:
    found = [
        f"{path}:{node.lineno} {node.name}"
        for path in python_files(*PRODUCT)
        if not _is_within(path, *_TOP) and str(path) not in ("app/db/unit_of_work.py", "app/server/demo_user.py")
        for node in tree_of(path).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _units(node)
        if not _given(node) & {"Database", "FlowContext"} or "Session" in _given(node)
    ]
    assert found == []


def test_only_flows_call_the_payment_gateway() -> None:
    calling = {
        str(path)
        for path in python_files(*PRODUCT)
        for node in nodes_of(path)
        if isinstance(node, ast.Call) and ".gateway." in ast.unparse(node.func)
        if not _is_within(path, _FLOWS)
    }
    assert calling == set()


def test_resolvers_ask_for_reads_instead_of_opening_a_session() -> None:
    opening = {
        str(path)
        for path in python_files("resolvers")
        if not path.stem.endswith("_mutations")
        for node in nodes_of(path)
        if isinstance(node, ast.Call) and ast.unparse(node.func).rsplit(".", 1)[-1] in ("read", "raw", "session")
    }
    # whose live updates end is looked up for all who watch
    assert opening == {"resolvers/live_topics.py"}
