"""Every migration works beside the code of the version before it, which still runs while servers are being replaced one by one."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from app.db.engine import open_connection
from tests.migrations.recorded_schema import breakages, read_schema, recorded, version_of_the_program
from tests.support.databases import cloned_url

# New constraints, triggers and unique indexes that the older code never violates, each with the reason. Emptied with each release.
REVIEWED = {"ledger_holds_use": "on updates of columns that the last version does not know"}

_EXPLAINED = """a migration breaks the code of the last version, which still runs while servers are being replaced.
Expand first (add, with a default), and contract in a later version (drop, once no code uses it): see migrations/README.md.
A new constraint that the last version's code can't violate is named in REVIEWED, with the reason."""

_RENEW = """the recorded schema is that of another version. With a release, set the version in pyproject.toml, then run
    .venv/bin/python -m tests.migrations.recorded_schema
and empty REVIEWED. Never do that in between: migrations are judged by the schema of the version that was released last."""


@pytest_asyncio.fixture
async def url(server_url: str) -> AsyncGenerator[str]:
    """The URL of a database with the newest schema."""
    async with cloned_url(server_url) as cloned:
        yield cloned


async def test_the_newest_schema_works_beside_the_code_of_the_last_version(url: str) -> None:
    assert breakages(recorded().schema, await read_schema(url), REVIEWED) == [], _EXPLAINED


def test_the_recorded_schema_is_that_of_the_version_in_pyproject() -> None:
    assert recorded().version == version_of_the_program(), _RENEW


@pytest.mark.parametrize(
    ("migration", "found"),
    [
        (
            "ALTER TABLE sessions RENAME COLUMN last_seen_at TO seen_at",
            "column sessions.last_seen_at is gone or renamed",
        ),
        ("ALTER TABLE users DROP COLUMN bio", "column users.bio is gone or renamed"),
        (
            "ALTER TABLE users ALTER COLUMN bio TYPE varchar(10)",
            "column users.bio was text and is character varying(10)",
        ),
        ("ALTER TABLE users ALTER COLUMN bio SET NOT NULL", "column users.bio no longer takes null"),
        (
            "ALTER TABLE users ADD COLUMN age bigint NOT NULL",
            "new column users.age is NOT NULL without a server default",
        ),
        ("DROP TABLE sms_codes", "table sms_codes is gone"),
        ("DROP INDEX emails_user_id_address_key_key", "unique index emails_user_id_address_key_key of emails is gone"),
        ("CREATE UNIQUE INDEX one_bio ON users (bio)", "one_bio of users is new or another"),
        ("ALTER TABLE users ADD CONSTRAINT short CHECK (length(bio) < 9)", "short of users is new or another"),
        ("ALTER FUNCTION ledger_charge RENAME TO ledger_spend_fast", "function ledger_charge is gone"),
    ],
)
async def test_a_migration_that_breaks_the_last_version_is_found(url: str, migration: str, found: str) -> None:
    before = await read_schema(url)
    connection = await open_connection(url)
    await connection.execute(migration)
    await connection.close()

    broken = breakages(before, await read_schema(url), ())

    assert any(each.startswith(found) for each in broken), broken


@pytest.mark.parametrize(
    "migration",
    [
        "ALTER TABLE users ADD COLUMN age bigint",
        "ALTER TABLE users ADD COLUMN age bigint NOT NULL DEFAULT 0",
        "CREATE TABLE pets (id uuid PRIMARY KEY)",
        "ALTER TABLE users ALTER COLUMN visibility DROP NOT NULL",
        "ALTER TABLE users DROP CONSTRAINT users_visibility_check",
        "CREATE INDEX users_bio_idx ON users (bio)",
    ],
)
async def test_a_migration_that_only_expands_is_let_through(url: str, migration: str) -> None:
    before = await read_schema(url)
    connection = await open_connection(url)
    await connection.execute(migration)
    await connection.close()

    assert breakages(before, await read_schema(url), ()) == []
