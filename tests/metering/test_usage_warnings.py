"""Owners are mailed once when a bar passes 80 and 100 percent of its limit in a period."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from sqlalchemy import select, update

from app.billing.subscriptions.owner_notices import OWNER_NOTICE
from app.db.engine import Session
from app.db.tables.usage import UsageCounterRow, UsageWarningRow
from app.db.unit_of_work import transact
from app.messages import usage_texts
from app.metering.usage_warnings import tell_owners
from app.store import usage_warnings as usage_warning_store
from tests.metering.workspace import Metered

INCLUDED = 100


async def _rows(metered: Metered) -> list[UsageWarningRow]:
    query = select(UsageWarningRow).where(UsageWarningRow.workspace_id == metered.id)
    async with metered.database.read() as session:
        return list(await session.scalars(query.order_by(UsageWarningRow.resource, UsageWarningRow.level)))


async def _waiting(metered: Metered) -> bool:
    async with metered.database.read() as session:
        return metered.id in await usage_warning_store.workspaces_to_tell(session, limit=1_000)


async def _tell(metered: Metered) -> list[dict[str, Any]]:
    """Tell the owners; the arguments of the jobs that mail them."""

    async def work(session: Session) -> list[tuple[str, bytes]]:
        await tell_owners(session, metered.catalog, metered.id)
        return list(session.outbox.jobs)

    jobs = await transact(metered.database, work)
    assert {name for name, _ in jobs} <= {OWNER_NOTICE}
    return [orjson.loads(arguments) for _, arguments in jobs]


async def test_a_mail_says_what_is_used_of_how_much_and_when_it_starts_anew(metered: Metered) -> None:
    await metered.use(79)
    assert await _tell(metered) == []
    await metered.use(1)

    [told] = await _tell(metered)

    assert told == {
        "workspace_id": str(metered.id),
        "notice": "LIMIT_NEAR",
        "until": "2030-02-10T12:30:00+00:00",
        "resource": "Enrichments",
        "unit": "enrichment",
        "used": "80",
        "limit": "100",
        "percent": "80",
        "past": "credits",
    }


async def test_each_level_is_told_once_in_a_period_and_again_in_the_next(metered: Metered) -> None:
    told: list[str] = []
    for _ in range(2):
        for quantity in (80, 5, 15, 40):
            await metered.use(quantity)
            told += [each["notice"] for each in await _tell(metered)]
        metered.wait(days=31)

    assert told == ["LIMIT_NEAR", "LIMIT_REACHED"] * 2
    assert all(row.told_at is not None for row in await _rows(metered))


async def test_of_two_levels_that_wait_the_higher_is_told(metered: Metered) -> None:
    await metered.use(INCLUDED)
    await metered.use(1_000, "sessions")

    told = await _tell(metered)

    assert sorted((each["notice"], each["resource"], each["past"]) for each in told) == [
        ("LIMIT_REACHED", "Enrichments", "credits"),
        ("LIMIT_REACHED", "Sessions", "host"),
    ]
    assert not await _waiting(metered)
    assert [(row.level, row.told_at) for row in await _rows(metered)] == [
        (level, metered.clock.moment) for level in (80, 100) * 2
    ]


async def test_what_a_period_that_has_ended_left_is_told_no_more(metered: Metered) -> None:
    await metered.use(INCLUDED)
    metered.wait(days=31)
    assert await _waiting(metered)

    assert await _tell(metered) == []
    assert not await _waiting(metered)


async def test_a_level_that_a_higher_limit_has_undone_is_not_told(metered: Metered) -> None:
    await metered.use(INCLUDED)
    raised = update(UsageCounterRow).where(UsageCounterRow.workspace_id == metered.id).values(allowance=1_000)
    await transact(metered.database, lambda session: session.execute(raised))

    assert await _tell(metered) == []
    assert not await _waiting(metered)


async def test_a_gauge_is_told_of_with_its_level_and_no_day(metered: Metered) -> None:
    await metered.use(850_000_000, "storage")

    [told] = await _tell(metered)

    assert (told["notice"], told["used"], told["limit"], told["past"]) == (
        "LIMIT_NEAR",
        "850,000,000",
        "1,000,000,000",
        "host",
    )
    assert "until" not in told


async def test_a_unit_that_does_not_commit_leaves_it_to_be_told(metered: Metered) -> None:
    await metered.use(INCLUDED)

    async def fail(session: Session) -> None:
        await tell_owners(session, metered.catalog, metered.id)
        raise LookupError

    with pytest.raises(LookupError):
        await transact(metered.database, fail)
    assert await _waiting(metered)
    assert len(await _tell(metered)) == 1


def test_the_mail_about_a_level_says_that_it_stays_and_who_decides() -> None:
    facts = {
        "resource": "Storage",
        "unit": "byte",
        "used": "85",
        "limit": "100",
        "percent": "80",
        "past": "host",
    }
    mail = usage_texts.limit_near("ada@example.com", "acme", None, facts)

    assert mail.subject == "Storage: 80 % of your plan's limit is used"
    assert "does not start anew by itself" in mail.text
    assert "Credits do not pay for use past the limit." in mail.text
