"""Sessions: whose a token is, how long a session lasts, and ending it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from app.accounts.access.callers import ANONYMOUS, UserCaller
from app.accounts.people.sessions import LIFETIME, ended, open_session, revoke_session, sessions_of, sign_out
from app.accounts.purge import purge_expired
from app.clock import Clock
from app.db.engine import Database, Session
from app.db.reads import Reads
from app.db.tables.people import SessionRow
from app.db.unit_of_work import transact
from app.errors import NotFound
from tests.support.accounts import Person, at_later, at_second, authenticate, new_person


async def _row(database: Database, person: Person) -> SessionRow:
    async with database.read() as session:
        row = await session.scalar(select(SessionRow).where(SessionRow.id == person.caller.session_id))
    assert row is not None
    return row


def _session_of(person: Person) -> UUID:
    assert person.caller.session_id is not None
    return person.caller.session_id


async def test_a_token_has_256_random_bits_and_only_its_hash_is_kept(database: Database) -> None:
    person, other = await new_person(database), await new_person(database)
    assert len(person.token) == 43
    assert person.token != other.token
    row = await _row(database, person)
    assert len(row.token_hash) == 32
    assert person.token.encode() not in row.token_hash


async def test_a_token_authenticates_its_user(database: Database) -> None:
    person = await new_person(database)
    assert await authenticate(database, person.token) == person.caller


@pytest.mark.parametrize("token", ["", "nonsense", "cfs_nonsense", "\0", "\ud800", "x" * 100_000])
async def test_any_other_token_is_anonymous(database: Database, token: str) -> None:
    assert await authenticate(database, token) == ANONYMOUS


async def test_a_session_lasts_30_days_from_its_last_use(database: Database) -> None:
    person = await new_person(database)
    assert await authenticate(at_later(database, timedelta(days=29)), person.token) == person.caller
    assert await authenticate(at_later(database, timedelta(days=58)), person.token) == person.caller
    expired = at_later(database, timedelta(days=88, minutes=1))
    assert await authenticate(expired, person.token) == ANONYMOUS
    async with expired.read() as session:
        assert await ended(session, [person.caller]) == {person.caller}
        assert await sessions_of(Reads(expired), person.user.id) == []


async def test_moving_the_products_time_forward_ends_no_session(database: Database) -> None:
    person = await new_person(database)
    moved = Database(database.engine, Clock(offset=timedelta(days=400)))
    assert await authenticate(moved, person.token) == person.caller


async def test_the_last_use_is_noted_at_most_once_a_minute(database: Database) -> None:
    person = await new_person(at_second(database, 0))
    opened = await _row(database, person)
    seen: list[datetime] = []
    for seconds in (60, 61, 70):
        await authenticate(at_second(database, seconds), person.token)
        seen.append((await _row(database, person)).last_seen_at)
    assert seen[0] == opened.last_seen_at
    assert seen[1] > opened.last_seen_at
    assert seen[2] == seen[1]


async def test_signing_out_ends_the_session_and_no_other(database: Database) -> None:
    person, other = await new_person(database), await new_person(database)
    assert await transact(database, lambda session: sign_out(session, person.caller))
    assert await authenticate(database, person.token) == ANONYMOUS
    assert await authenticate(database, other.token) == other.caller


async def test_nobody_and_a_session_that_has_ended_can_not_sign_out(database: Database) -> None:
    person = await new_person(database)
    assert not await transact(database, lambda session: sign_out(session, ANONYMOUS))
    assert await transact(database, lambda session: sign_out(session, person.caller))
    assert not await transact(database, lambda session: sign_out(session, person.caller))


async def test_each_of_ones_sessions_can_be_ended_alone(database: Database) -> None:
    person = await new_person(database)
    second = await transact(database, lambda session: open_session(session, person.user.id, "another\0 browser"))
    found = await sessions_of(Reads(database), person.user.id)
    assert [row.user_agent for row in found] == ["another browser", "a test"]
    await transact(database, lambda session: revoke_session(session, person.caller, second.session_id))
    assert await authenticate(database, second.token) == ANONYMOUS
    assert await authenticate(database, person.token) == person.caller


async def test_anothers_session_is_not_found_and_stays(database: Database) -> None:
    person, other = await new_person(database), await new_person(database)
    for session_id in (_session_of(other), uuid4()):
        with pytest.raises(NotFound):
            await transact(database, lambda session, of=session_id: revoke_session(session, person.caller, of))
    assert await authenticate(database, other.token) == other.caller


async def test_expired_sessions_are_purged_and_no_others(fresh_database: Database) -> None:
    old = await new_person(fresh_database)
    later = at_later(fresh_database, timedelta(days=31))
    young = await new_person(later)
    await transact(later, purge_expired)

    async def ids(session: Session) -> set[object]:
        return set((await session.scalars(select(SessionRow.id))).all())

    assert await transact(later, ids) == {young.caller.session_id}
    assert old.caller.session_id != young.caller.session_id


async def test_of_many_callers_those_with_ended_sessions_are_found(database: Database) -> None:
    staying, leaving, stranger = [await new_person(database) for _ in range(3)]
    callers = [ANONYMOUS, staying.caller, leaving.caller, UserCaller(stranger.user.id, uuid4())]
    await transact(database, lambda session: sign_out(session, leaving.caller))

    async with database.read() as session:
        assert await ended(session, callers) == {leaving.caller, callers[3]}
    async with at_later(database, LIFETIME + timedelta(minutes=1)).read() as session:
        assert await ended(session, callers) == set(callers[1:])


async def test_a_token_of_the_identity_provider_has_no_session_to_end_and_an_end_of_its_own(database: Database) -> None:
    person, now = await new_person(database), datetime.now(UTC)
    callers = [UserCaller(person.user.id, None, now + timedelta(minutes=minutes)) for minutes in (5, 10)]
    assert not await transact(database, lambda session: sign_out(session, callers[0]))
    assert await authenticate(database, person.token) == person.caller
    for later, over in ((timedelta(), set[UserCaller]()), (timedelta(minutes=6), {callers[0]})):
        async with at_later(database, later).read() as session:
            assert await ended(session, [*callers, person.caller]) == over
    await transact(database, lambda session: revoke_session(session, callers[0], _session_of(person)))
    assert await authenticate(database, person.token) == ANONYMOUS
