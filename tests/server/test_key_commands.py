"""The keys of the host product, by command: made with an end, listed, revoked."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from sqlalchemy import select

from app.accounts.access.callers import ANONYMOUS, KeyCaller
from app.cli.arguments import moment
from app.cli.command_error import CommandError
from app.clock import Clock
from app.db.engine import Database, connect
from app.db.tables.access import ApiKeyRow
from tests.support.accounts import authenticate
from tests.support.server import run_command


@pytest_asyncio.fixture
async def keys(database_url: str) -> AsyncGenerator[Database]:
    """The database that the commands work on."""
    database = Database(connect(database_url), Clock())
    yield database
    await database.close()


def _run(database_url: str, *arguments: str) -> str:
    ended = run_command("keys", *arguments, environment={"DATABASE_URL": database_url})
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def _create(database_url: str, name: str, *options: str) -> str:
    """The secret of a new service key."""
    return _run(database_url, "create", "--service", "--name", name, "--scope", "OPERATOR", *options).split()[-1]


async def _row(database: Database, secret: str) -> ApiKeyRow:
    async with database.read() as session:
        return (await session.scalars(select(ApiKeyRow).where(ApiKeyRow.prefix == secret[:10]))).one()


_NOW = datetime(2026, 5, 1, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "ends_at"),
    [
        ("90d", "2026-07-30T09:30:00+00:00"),
        ("2099-12-31", "2099-12-31T00:00:00+00:00"),
        ("2099-12-31T12:00:00", "2099-12-31T12:00:00+00:00"),
        ("2099-12-31T12:00:00+02:00", "2099-12-31T12:00:00+02:00"),
    ],
)
def test_a_key_ends_after_so_many_days_or_on_a_date(text: str, ends_at: str) -> None:
    assert moment(text, _NOW).isoformat() == ends_at


@pytest.mark.parametrize("text", ["soon", "", "90", "d", "-1d", "1.5d", "9999999d", "2099-13-01"])
def test_what_is_no_end_is_told(text: str) -> None:
    with pytest.raises(CommandError, match="write it like"):
        moment(text, _NOW)


async def test_a_key_is_made_with_its_end_and_none_with_one_in_the_past(keys: Database, database_url: str) -> None:
    made = await _row(keys, _create(database_url, "one", "--expires", "90d"))
    arguments = ("create", "--service", "--name", "two", "--scope", "OPERATOR", "--expires", "2001-01-01")
    refused = run_command("keys", *arguments, environment={"DATABASE_URL": database_url})

    assert made.expires_at == made.created_at + timedelta(days=90)
    assert refused.returncode == 2
    assert "future" in refused.stderr
    async with keys.read() as session:
        assert len((await session.scalars(select(ApiKeyRow))).all()) == 1


async def test_service_keys_are_listed_newest_first_without_their_secrets(keys: Database, database_url: str) -> None:
    first, second = _create(database_url, "first", "--expires", "90d"), _create(database_url, "second")
    await authenticate(keys, first)

    above, below = _run(database_url, "list").splitlines()

    assert second[:10] in above
    assert ("'second'" in above, "OPERATOR" in above, "last used: never" in above) == (True, True, True)
    assert first[:10] in below
    assert ("'first'" in below, "last used: 2" in below, "expires: 2" in below) == (True, True, True)
    assert first not in below
    assert second not in above


async def test_a_revoked_key_is_nobodys_and_not_listed_any_more(keys: Database, database_url: str) -> None:
    secret = _create(database_url, "first")
    assert isinstance(await authenticate(keys, secret), KeyCaller)

    assert "'first'" in _run(database_url, "revoke", f"{secret[:10]}…")

    assert await authenticate(keys, secret) == ANONYMOUS
    assert "no service keys" in _run(database_url, "list")


def test_the_help_says_which_scopes_are_for_service_keys_alone() -> None:
    help_text = " ".join(run_command("keys", "create", "--help", environment={"COLUMNS": "300"}).stdout.split())
    assert "CREDITS_WRITE, OPERATOR and USAGE_WRITE are for service keys alone" in help_text


def test_revoking_what_is_no_key_is_told(database_url: str) -> None:
    ended = run_command("keys", "revoke", "cfs_nobody", environment={"DATABASE_URL": database_url})

    assert ended.returncode == 2
    assert "no key" in ended.stderr
