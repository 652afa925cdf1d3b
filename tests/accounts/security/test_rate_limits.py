"""Rate limits: exact, also across processes, and stored without whom they are for."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import func, select

from app.accounts.purge import purge_expired
from app.accounts.security.rate_limits import (
    Limit,
    RateLimits,
    check_limits,
    count_attempt,
    count_failure,
    network_of,
    uncount_attempt,
)
from app.clock import Clock
from app.db.engine import Database, connect
from app.db.tables.security import RateLimitRow
from app.db.unit_of_work import transact
from app.errors import RateLimited
from tests.support.accounts import KEYS, LIMITS_OFF, LIMITS_ON, at_later, at_second

THREE_A_MINUTE = Limit("test", most=3, per_seconds=60)


async def test_no_more_than_the_limit_passes_in_any_stretch_of_its_time(database: Database) -> None:
    who = str(uuid4())
    for seconds in (0, 30, 59):
        await count_attempt(at_second(database, seconds), LIMITS_ON, (THREE_A_MINUTE, who))
    with pytest.raises(RateLimited) as refused:
        await count_attempt(at_second(database, 59), LIMITS_ON, (THREE_A_MINUTE, who))
    assert refused.value.extensions["retryAfterSeconds"] == 1
    await count_attempt(at_second(database, 61), LIMITS_ON, (THREE_A_MINUTE, who))
    with pytest.raises(RateLimited) as refused:
        await count_attempt(at_second(database, 61), LIMITS_ON, (THREE_A_MINUTE, who))
    assert refused.value.extensions["retryAfterSeconds"] == 29


def test_the_error_says_how_long_to_wait() -> None:
    refused = RateLimited(700)
    assert refused.message == "Too many attempts. Try again in 12 minutes."
    assert refused.extensions["retryAfterSeconds"] == 700


async def test_after_the_wait_of_the_error_an_attempt_passes_even_if_others_were_refused_meanwhile(
    database: Database,
) -> None:
    who = str(uuid4())
    for _ in range(THREE_A_MINUTE.most):
        await count_attempt(at_second(database, 0), LIMITS_ON, (THREE_A_MINUTE, who))
    for seconds in (1, 20, 40):
        with pytest.raises(RateLimited):
            await count_attempt(at_second(database, seconds), LIMITS_ON, (THREE_A_MINUTE, who))
    await count_attempt(at_second(database, 60), LIMITS_ON, (THREE_A_MINUTE, who))


async def test_limits_are_counted_apart_by_name_and_by_whom_they_limit(database: Database) -> None:
    who, other = str(uuid4()), str(uuid4())
    for _ in range(THREE_A_MINUTE.most):
        await count_attempt(database, LIMITS_ON, (THREE_A_MINUTE, who))
    await count_attempt(database, LIMITS_ON, (THREE_A_MINUTE, other))
    await count_attempt(database, LIMITS_ON, (Limit("another", most=1, per_seconds=60), who))


async def test_an_attempt_refused_by_one_limit_is_counted_against_none(database: Database) -> None:
    who, used_up = str(uuid4()), str(uuid4())
    strict = Limit("strict", most=1, per_seconds=60)
    await count_attempt(database, LIMITS_ON, (strict, used_up))
    for _ in range(THREE_A_MINUTE.most + 1):
        with pytest.raises(RateLimited):
            await count_attempt(database, LIMITS_ON, (THREE_A_MINUTE, who), (strict, used_up))
    await count_attempt(database, LIMITS_ON, (THREE_A_MINUTE, who))


def _another_process(database: Database) -> Database:
    url = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    return Database(connect(url), Clock())


async def test_of_many_at_once_from_two_processes_exactly_the_limit_passes(database: Database) -> None:
    who = str(uuid4())
    other_process = _another_process(database)
    limit = Limit("many", most=10, per_seconds=60)
    try:
        attempts = [
            count_attempt(each, LIMITS_ON, (limit, who)) for each in (database, other_process) for _ in range(15)
        ]
        outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    finally:
        await other_process.close()
    assert sum(isinstance(outcome, RateLimited) for outcome in outcomes) == 20
    assert sum(not isinstance(outcome, BaseException) for outcome in outcomes) == 10


async def test_limits_shared_by_many_at_once_deadlock_nobody(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.db.unit_of_work._ATTEMPTS", 1)
    limit = Limit("shared", most=100, per_seconds=60)
    uses = [(limit, str(uuid4())) for _ in range(50)]
    orders = [uses, uses[::-1]] * 10
    outcomes = await asyncio.gather(
        *(count_attempt(database, LIMITS_ON, *order) for order in orders), return_exceptions=True
    )
    assert [outcome for outcome in outcomes if isinstance(outcome, BaseException)] == []


async def test_an_attempt_taken_back_was_never_counted(database: Database) -> None:
    who = str(uuid4())
    for _ in range(THREE_A_MINUTE.most + 1):
        await uncount_attempt(database, await count_attempt(database, LIMITS_ON, (THREE_A_MINUTE, who)))


async def test_the_switch_turns_off_all_limits_but_those_always_on(database: Database) -> None:
    who = str(uuid4())
    always = Limit("always", most=1, per_seconds=60, always_on=True)
    for _ in range(THREE_A_MINUTE.most + 1):
        await count_attempt(database, LIMITS_OFF, (THREE_A_MINUTE, who))
    await count_attempt(database, LIMITS_OFF, (THREE_A_MINUTE, who), (always, who))
    with pytest.raises(RateLimited):
        await count_attempt(database, LIMITS_OFF, (THREE_A_MINUTE, who), (always, who))


async def test_whom_a_limit_is_for_is_stored_as_a_keyed_hash(fresh_database: Database) -> None:
    await count_attempt(fresh_database, LIMITS_ON, (THREE_A_MINUTE, "ada@example.com"))
    await count_attempt(fresh_database, RateLimits(KEYS.codes), (THREE_A_MINUTE, "ada@example.com"))
    async with fresh_database.read() as session:
        keys = (await session.scalars(select(RateLimitRow.key))).all()
    assert len(set(keys)) == 2
    assert all(b"ada" not in key for key in keys)


async def test_counts_that_no_longer_matter_are_purged(fresh_database: Database) -> None:
    await count_attempt(fresh_database, LIMITS_ON, (THREE_A_MINUTE, "early"))
    later = at_later(fresh_database, timedelta(seconds=61))
    await count_attempt(later, LIMITS_ON, (THREE_A_MINUTE, "late"))
    await transact(later, purge_expired)
    async with later.read() as session:
        assert await session.scalar(select(func.count()).select_from(RateLimitRow)) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"), ("192.0.2.1", "::ffff:192.0.2.1"), ("unknown", "unknown")],
)
def test_what_one_customer_has_counts_as_one_network_address(one: str, other: str) -> None:
    assert network_of(one) == network_of(other)


@pytest.mark.parametrize(("one", "other"), [("2001:db8:1:2::1", "2001:db8:1:3::1"), ("192.0.2.1", "192.0.2.2")])
def test_what_different_customers_have_counts_apart(one: str, other: str) -> None:
    assert network_of(one) != network_of(other)


async def test_a_check_counts_nothing_and_failures_are_counted_past_the_limit(database: Database) -> None:
    who = str(uuid4())
    for _ in range(2 * THREE_A_MINUTE.most):
        await check_limits(database, LIMITS_ON, (THREE_A_MINUTE, who))
    for second in range(THREE_A_MINUTE.most + 2):
        await count_failure(at_second(database, second), LIMITS_ON, (THREE_A_MINUTE, who))
    with pytest.raises(RateLimited) as refused:
        await check_limits(at_second(database, 10), LIMITS_ON, (THREE_A_MINUTE, who))
    # the last three of five, at seconds 2 to 4, are what must lie a minute back
    assert refused.value.extensions["retryAfterSeconds"] == 52
    await check_limits(at_second(database, 62), LIMITS_ON, (THREE_A_MINUTE, who))


async def test_failures_at_once_from_two_processes_are_all_counted(database: Database) -> None:
    who, limit = str(uuid4()), Limit("noted", most=20, per_seconds=60)
    other_process = _another_process(database)
    try:
        await asyncio.gather(*(count_failure(each, LIMITS_ON, (limit, who)) for each in (database, other_process) * 10))
        with pytest.raises(RateLimited):
            await check_limits(other_process, LIMITS_ON, (limit, who))
    finally:
        await other_process.close()
    await check_limits(database, LIMITS_ON, (Limit("noted", most=21, per_seconds=60), who))


async def test_a_limit_that_is_switched_off_neither_checks_nor_counts(database: Database) -> None:
    who = str(uuid4())
    for _ in range(2 * THREE_A_MINUTE.most):
        await count_failure(database, LIMITS_OFF, (THREE_A_MINUTE, who))
        await check_limits(database, LIMITS_OFF, (THREE_A_MINUTE, who))
    await check_limits(database, LIMITS_ON, (THREE_A_MINUTE, who))
