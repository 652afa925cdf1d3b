"""What was counted can be put right by an operator: the limit, credits, days and subjects agree afterwards."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from app.db.tables.access import AuditEventRow
from app.db.tables.usage import UsageWarningRow
from app.db.unit_of_work import transact
from app.errors import InvalidInput
from app.metering.corrections import CorrectedUse, correct_use
from app.metering.paying import pay_usage
from tests.metering.workspace import START, Metered

# On the Free plan 100 enrichments are included in a period, and one past them costs 500 tokens.
INCLUDED = 100
PRICE = 500


async def _correct(
    metered: Metered,
    change: int | str,
    resource: str = "enrichments",
    *,
    at: datetime | None = None,
    subject: str | None = None,
) -> CorrectedUse:
    corrected = await transact(
        metered.database,
        lambda session: correct_use(
            session,
            metered.catalog,
            metered.id,
            resource=resource,
            change=Decimal(change),
            at=at or session.now,
            reason="Counted twice",
            subject=subject,
        ),
    )
    await pay_usage(metered.database, metered.catalog, [metered.id])
    return corrected


async def test_what_is_added_is_paid_for_as_if_it_were_used_now(metered: Metered) -> None:
    await metered.grant(5 * PRICE)
    await metered.use(INCLUDED - 1)

    await _correct(metered, 3)

    counter = await metered.counter()
    assert (counter.used, counter.overage, counter.charged) == (INCLUDED + 2, 2, 2 * PRICE)
    assert await metered.available() == 3 * PRICE
    assert await metered.days() == {"2030-01-10": INCLUDED + 2}


async def test_what_is_taken_back_lay_past_the_plan_first_and_pays_for_what_comes_next(metered: Metered) -> None:
    await metered.grant(4 * PRICE)
    await metered.use(INCLUDED + 6)

    corrected = await _correct(metered, -5)

    # two of them were unpaid, and credits had paid for three
    assert (corrected.before, corrected.after, corrected.paid_back) == (106, 101, 3 * PRICE)
    counter = await metered.counter()
    assert (counter.used, counter.overage, counter.unpaid, counter.charged) == (101, 1, 0, 4 * PRICE)
    await metered.use(4)
    counter = await metered.counter()
    assert (counter.overage, counter.unpaid, counter.charged) == (5, 1, 4 * PRICE)


async def test_a_correction_belongs_to_the_period_in_which_it_was_used(metered: Metered) -> None:
    await metered.use(10)
    metered.wait(days=31)
    await metered.use(20)

    await _correct(metered, -4, at=START)
    await _correct(metered, 2, "sessions", at=START)

    assert [row.used for row in await metered.counters()] == [6, 20]
    assert [row.period_start for row in await metered.counters("sessions")] == [START]


async def test_days_agree_with_what_was_corrected(metered: Metered) -> None:
    await metered.use(3)
    metered.wait(days=1)
    await metered.use(5)
    metered.wait(days=1)

    await _correct(metered, -6, at=START + timedelta(days=1))

    assert await metered.days() == {"2030-01-10": 2, "2030-01-11": 0}


async def test_a_correction_may_be_of_a_subject(metered: Metered) -> None:
    await metered.use(3, subject="ada")

    await _correct(metered, -2, subject="ada")
    assert await metered.by_subject() == {"ada": (1, 0)}
    for change, subject in ((-1, "bob"), (-2, "ada")):
        with pytest.raises(InvalidInput):
            await _correct(metered, change, subject=subject)
    assert (await metered.counter()).used == 1


async def test_what_subjects_used_is_taken_back_with_their_names(metered: Metered) -> None:
    await metered.record(metered.event(8, subject="ada"), metered.event(2))

    with pytest.raises(InvalidInput, match="Subjects used 8"):
        await _correct(metered, -3)
    await _correct(metered, -2)
    await _correct(metered, -3, subject="ada")
    assert ((await metered.counter()).used, await metered.by_subject()) == (5, {"ada": (5, 0)})


async def test_owners_are_told_of_a_limit_that_a_correction_passes(metered: Metered) -> None:
    await metered.use(INCLUDED // 2)
    await _correct(metered, INCLUDED // 2)
    async with metered.database.read() as session:
        found = await session.scalars(select(UsageWarningRow.level).where(UsageWarningRow.workspace_id == metered.id))
        assert sorted(found) == [80, 100]


async def test_what_was_not_charged_is_not_said_to_have_been(metered: Metered) -> None:
    await metered.use(INCLUDED + 6)
    assert (await _correct(metered, -5)).paid_back == 0


@pytest.mark.parametrize(
    ("change", "resource", "ahead"),
    [(0, "enrichments", 0), (-4, "enrichments", 0), (1, "bananas", 0), (1, "storage", 0), (1, "enrichments", 1)],
)
async def test_what_cannot_be_corrected_changes_nothing(
    metered: Metered, change: int, resource: str, ahead: int
) -> None:
    await metered.use(3)
    with pytest.raises(InvalidInput):
        await _correct(metered, change, resource, at=START + timedelta(seconds=ahead))
    assert (await metered.counter()).used == 3


async def test_the_audit_log_says_what_was_corrected_and_why(metered: Metered) -> None:
    await metered.use(3)
    await _correct(metered, -1)
    async with metered.database.read() as session:
        mine = select(AuditEventRow).where(AuditEventRow.workspace_id == metered.id)
        row = (await session.scalars(mine)).one()
    assert (row.action, row.summary) == ("usage.corrected", "An operator corrected what was used.")
    assert row.detail is not None
    for said in ("Counted twice", '"3"', '"2"', "enrichments"):
        assert said in str(row.detail).replace("'", '"')
