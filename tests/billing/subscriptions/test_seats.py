"""How many seats count, and who holds one."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from app.accounts.access.callers import UserCaller
from app.accounts.access.permissions import WorkspacePermission, WorkspaceRole
from app.accounts.access.workspace_access import workspace_for, workspace_seen_by, workspaces_of
from app.billing.subscriptions.pending_changes import PendingChange, PendingChangeKind, pending_as_json
from app.billing.subscriptions.seats import Seats, seats_counted, seats_now
from app.catalog import load_catalog
from app.db.engine import Database, Session
from app.db.reads import Reads, read_many
from app.db.tables.workspaces import MembershipRow, WorkspaceRow
from app.db.unit_of_work import transact
from app.ids import uuid7
from app.store import memberships as membership_store
from app.store import subscriptions as subscription_store
from app.store import workspaces as workspace_store
from tests.support.accounts import at_later, new_person
from tests.support.running_backend import CATALOGS
from tests.support.subscriptions import begin_change, choice_of, end_subscription, subscribe

_CATALOG = load_catalog(CATALOGS / "analytics.toml")
_TEAM = choice_of(_CATALOG, "team", 5)
_FEWER = PendingChange(kind=PendingChangeKind.DOWNGRADE, choice=choice_of(_CATALOG, "team", 3))
_END = PendingChange(kind=PendingChangeKind.CANCELLATION, choice=None)
_MORE = PendingChange(kind=PendingChangeKind.AWAITING_PAYMENT, choice=choice_of(_CATALOG, "team", 9))


@pytest.mark.parametrize(
    ("pending", "seats_left", "counted"),
    [
        (None, None, 5),
        (_FEWER, None, 3),
        (_END, None, 1),
        (_MORE, None, 5),
        (None, 4, 4),
        (None, 9, 5),
        (_FEWER, 2, 2),
        (_FEWER, 4, 3),
    ],
    ids=str,
)
def test_the_fewest_of_present_pending_and_remaining_seats_count(
    pending: PendingChange | None, seats_left: int | None, counted: int
) -> None:
    kept = pending_as_json(pending) if pending is not None else None
    assert seats_counted(5, kept, seats_left, fallback_seats=1) == counted


def test_the_end_of_a_contract_limits_nobody_and_a_downgrade_of_it_does() -> None:
    for pending, counted in ((_END, 5), (_FEWER, 3)):
        assert seats_counted(5, pending_as_json(pending), None, fallback_seats=1, is_contract=True) == counted


@pytest.mark.parametrize(
    ("total", "members", "counted", "used", "available"),
    [(5, 2, 5, 2, 3), (5, 2, 3, 2, 1), (5, 4, 3, 4, 0), (1, 4, 1, 1, 0)],
)
def test_no_more_seats_are_held_than_there_are_and_never_fewer_than_none_are_free(
    total: int, members: int, counted: int, used: int, available: int
) -> None:
    seats = Seats(total, members, counted)
    assert (seats.used, seats.available) == (used, available)


async def _workspace(database: Database, *roles: WorkspaceRole) -> tuple[UUID, list[UUID]]:
    """An organization with members in these roles, who joined a minute after one another; its id and theirs."""
    people = [(await new_person(database)).user.id for _ in roles]
    workspace_id = uuid7()

    async def make(session: Session) -> None:
        row = WorkspaceRow(
            id=workspace_id, kind="ORGANIZATION", name="Acme", handle=f"org-{workspace_id.hex}", created_by=people[0],
            created_at=session.now, version=1,
        )  # fmt: skip
        await workspace_store.add(session, row)
        for number, (user_id, role) in enumerate(zip(people, roles, strict=True)):
            joined_at = session.now + timedelta(minutes=number)
            member = MembershipRow(workspace_id=workspace_id, user_id=user_id, role=role, joined_at=joined_at)
            await workspace_store.add_member(session, member)

    await transact(database, make)
    return workspace_id, people


async def _may_join(database: Database, workspace_id: UUID) -> bool:
    async def ask(session: Session) -> bool:
        await workspace_store.lock(session, workspace_id)
        return (await seats_now(session, _CATALOG, workspace_id)).available > 0

    return await transact(database, ask)


async def _holders(database: Database, workspace_id: UUID, people: list[UUID]) -> list[int]:
    """The places of those of the people who hold a seat."""
    found = await read_many(database, membership_store.SEAT_PLACES, [(workspace_id, each) for each in people])
    return sorted(people.index(each.user_id) for each in found if each.holds_at(database.clock.now()))


async def test_who_joins_needs_a_seat_of_the_plan_that_the_workspace_is_on(database: Database) -> None:
    workspace_id, _ = await _workspace(database, WorkspaceRole.OWNER, WorkspaceRole.MEMBER)
    assert not await _may_join(database, workspace_id)
    await subscribe(database, workspace_id, choice_of(_CATALOG, "team", 3))
    assert await _may_join(database, workspace_id)
    await subscribe(database, workspace_id, choice_of(_CATALOG, "team", 2))
    assert not await _may_join(database, workspace_id)
    await subscribe(database, workspace_id, choice_of(_CATALOG, "team", 3))
    await end_subscription(database, workspace_id)
    assert not await _may_join(database, workspace_id)


async def test_nobody_joins_who_would_have_no_seat_once_fewer_are_in_effect(database: Database) -> None:
    workspace_id, _ = await _workspace(database, *[WorkspaceRole.OWNER] * 3)
    await subscribe(database, workspace_id, _TEAM, pending=_FEWER)
    assert not await _may_join(database, workspace_id)
    await subscribe(database, workspace_id, _TEAM, pending=_END)
    assert not await _may_join(database, workspace_id)


async def test_seats_that_are_not_paid_yet_can_not_be_taken(database: Database) -> None:
    workspace_id, _ = await _workspace(database, *[WorkspaceRole.OWNER] * 5)
    await subscribe(database, workspace_id, _TEAM, pending=_MORE)
    assert not await _may_join(database, workspace_id)


async def test_a_change_in_flight_lets_in_whom_it_leaves_a_seat(database: Database) -> None:
    workspace_id, _ = await _workspace(database, *[WorkspaceRole.OWNER] * 3)
    await subscribe(database, workspace_id, _TEAM)
    await begin_change(database, workspace_id, seats_left=3)
    assert not await _may_join(database, workspace_id)
    other, _ = await _workspace(database, *[WorkspaceRole.OWNER] * 3)
    await subscribe(database, other, _TEAM)
    await begin_change(database, other, seats_left=None)
    assert await _may_join(database, other)


async def test_owners_hold_a_seat_first_and_then_who_joined_first(database: Database) -> None:
    owner, admin, member = WorkspaceRole.OWNER, WorkspaceRole.ADMIN, WorkspaceRole.MEMBER
    workspace_id, people = await _workspace(database, owner, member, admin, owner, member)
    await subscribe(database, workspace_id, _TEAM)
    assert await _holders(database, workspace_id, people) == [0, 1, 2, 3, 4]
    for seats, holders in ((4, [0, 1, 2, 3]), (3, [0, 1, 3]), (2, [0, 3]), (1, [0])):
        await subscribe(database, workspace_id, choice_of(_CATALOG, "team", seats))
        assert await _holders(database, workspace_id, people) == holders


async def test_of_those_who_joined_at_once_the_lower_id_holds_the_seat(database: Database) -> None:
    workspace_id, people = await _workspace(database, *[WorkspaceRole.MEMBER] * 3)

    async def at_once(session: Session) -> None:
        for each in people:
            row = await membership_store.find(session, workspace_id, each)
            assert row is not None
            row.joined_at = session.now

    await transact(database, at_once)
    await subscribe(database, workspace_id, choice_of(_CATALOG, "team", 2))
    lowest = [people.index(each) for each in sorted(people)[:2]]
    assert await _holders(database, workspace_id, people) == sorted(lowest)


async def test_without_a_subscription_the_fallback_plan_s_seats_count_and_all_hold_one_where_they_are_unknown(
    fresh_database: Database,
) -> None:
    workspace_id, people = await _workspace(fresh_database, WorkspaceRole.OWNER, WorkspaceRole.MEMBER)
    assert await _holders(fresh_database, workspace_id, people) == [0, 1]
    for seats, holders in ((1, [0]), (2, [0, 1])):

        async def start(session: Session, seats: int = seats) -> None:
            await subscription_store.keep_fallback_seats(session, seats)

        await transact(fresh_database, start)
        assert await _holders(fresh_database, workspace_id, people) == holders
    await subscribe(fresh_database, workspace_id, choice_of(_CATALOG, "team", 1))
    assert await _holders(fresh_database, workspace_id, people) == [0]


async def test_the_seats_of_a_given_plan_are_held_until_its_end_though_no_worker_runs(fresh_database: Database) -> None:
    workspace_id, people = await _workspace(
        fresh_database, WorkspaceRole.OWNER, WorkspaceRole.ADMIN, WorkspaceRole.ADMIN
    )
    await transact(fresh_database, lambda session: subscription_store.keep_fallback_seats(session, 1))
    ends_at = fresh_database.clock.now() + timedelta(days=14)
    given = choice_of(_CATALOG, "team", 2, None)
    await subscribe(fresh_database, workspace_id, given, provider_id=None, period_end=None, trial_ends_at=ends_at)
    admin, too_many = (UserCaller(each, None, None) for each in people[1:])
    later = at_later(fresh_database, timedelta(days=14))
    for database, holders, may_manage in ((fresh_database, [0, 1], True), (later, [0], False)):
        assert await _holders(database, workspace_id, people) == holders
        for caller, expected in ((admin, may_manage), (too_many, False)):
            seen = await workspace_seen_by(Reads(database), caller, workspace_id)
            assert (WorkspacePermission.MANAGE_MEMBERS in seen.permissions) == expected
            async with database.read() as session:
                assert (await workspace_for(session, caller, workspace_id)).permissions == seen.permissions
            [listed] = [
                each for each in await workspaces_of(Reads(database), caller) if each.workspace.id == workspace_id
            ]
            assert listed.permissions == seen.permissions
