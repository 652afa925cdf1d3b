"""Verifying a workspace's phone number with a code."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select

from app.accounts.access.callers import ANONYMOUS, Caller, KeyCaller
from app.accounts.access.permissions import ApiScope
from app.accounts.security.shared_errors import CodeExpired, CodeWrong
from app.accounts.workspaces.phone_numbers import masked
from app.accounts.workspaces.phone_verification import (
    MOST_TRIES,
    MOST_WORKSPACES,
    PhoneInUse,
    PhoneUnverified,
    require_phone,
    verify_phone,
)
from app.db.engine import Database, Session
from app.db.tables.access import AuditEventRow
from app.db.tables.workspaces import MembershipRow, PhoneUseRow
from app.db.unit_of_work import transact
from app.errors import Forbidden, InvalidInput, NotFound, Unauthenticated, Unavailable
from app.messages.development_inbox import InboxSmsSender
from app.messages.sms_codes import CodeGone
from app.store import phones as phone_store
from tests.support.accounts import (
    KEYS,
    at_later,
    new_person,
    texted_codes,
)
from tests.support.phones import new_number, other_than, phone_for, send, sent_code, verify


async def test_the_code_that_was_texted_verifies_the_workspaces_phone(database: Database) -> None:
    person, number = await new_person(database), new_number()
    code = await sent_code(database, person, number)
    assert len(code) == 6
    workspace_id = await verify(database, person.caller, phone_for(person, number), f" {code} ")
    assert workspace_id == person.user.personal_workspace_id
    async with database.read() as session:
        phone = await require_phone(session, workspace_id)
        actions = (
            await session.scalars(select(AuditEventRow.action).where(AuditEventRow.workspace_id == workspace_id))
        ).all()
    assert masked(phone.last_digits) == f"•••• {number[-4:]}"
    assert sorted(actions) == ["phone.verified", "workspace.created"]


async def test_of_a_verified_number_only_the_last_digits_and_a_keyed_hash_are_kept(database: Database) -> None:
    person, number = await new_person(database), new_number()
    code = await sent_code(database, person, number)
    await verify(database, person.caller, phone_for(person, number), code)
    async with database.read() as session:
        phone = await phone_store.of_workspace(session, person.user.personal_workspace_id)
    assert phone is not None
    assert phone.last_digits == number[-4:]
    assert number.encode() not in phone.number_hash


async def test_a_workspace_without_a_verified_phone_has_none(database: Database) -> None:
    person, number = await new_person(database), new_number()
    await sent_code(database, person, number)
    async with database.read() as session:
        assert await phone_store.of_workspace(session, person.user.personal_workspace_id) is None
        with pytest.raises(PhoneUnverified):
            await require_phone(session, person.user.personal_workspace_id)


async def test_a_national_number_with_its_region_is_the_same_number(database: Database) -> None:
    person, number = await new_person(database), new_number()
    national = f"06 {number[4:]}"
    await send(database, person.caller, phone_for(person, national, "nl"))
    [code] = await texted_codes(database, number)
    await verify(database, person.caller, phone_for(person, number), code)


async def test_a_wrong_code_verifies_nothing_and_may_be_tried_five_times(database: Database) -> None:
    person, number = await new_person(database), new_number()
    code = await sent_code(database, person, number)
    for _ in range(MOST_TRIES):
        with pytest.raises(CodeWrong):
            await verify(database, person.caller, phone_for(person, number), other_than(code))
    with pytest.raises(CodeExpired):
        await verify(database, person.caller, phone_for(person, number), code)
    async with database.read() as session:
        assert await phone_store.of_workspace(session, person.user.personal_workspace_id) is None


async def test_after_too_many_tries_a_new_code_may_be_tried(database: Database) -> None:
    person, number = await new_person(database), new_number()
    code = await sent_code(database, person, number)
    for _ in range(MOST_TRIES):
        with pytest.raises(CodeWrong):
            await verify(database, person.caller, phone_for(person, number), other_than(code))
    await verify(database, person.caller, phone_for(person, number), await sent_code(database, person, number))


async def test_tries_made_at_once_are_all_counted(database: Database) -> None:
    person, number = await new_person(database), new_number()
    code = await sent_code(database, person, number)
    tries = [verify(database, person.caller, phone_for(person, number), other_than(code)) for _ in range(20)]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(outcome, CodeWrong) for outcome in outcomes) == MOST_TRIES
    assert sum(isinstance(outcome, CodeExpired) for outcome in outcomes) == 20 - MOST_TRIES


async def test_a_new_code_replaces_the_one_before(database: Database) -> None:
    person, number = await new_person(database), new_number()
    first = await sent_code(database, person, number)
    second = await sent_code(database, person, number)
    if first != second:
        with pytest.raises(CodeWrong):
            await verify(database, person.caller, phone_for(person, number), first)
    await verify(database, person.caller, phone_for(person, number), second)


async def test_a_code_can_be_used_for_ten_minutes_of_real_time(database: Database) -> None:
    person, number = await new_person(database), new_number()
    code = await sent_code(database, person, number)
    with pytest.raises(CodeExpired):
        await verify(at_later(database, timedelta(minutes=10)), person.caller, phone_for(person, number), code)
    await verify(at_later(database, timedelta(minutes=8)), person.caller, phone_for(person, number), code)


async def test_a_code_works_once_and_only_for_its_workspace_and_number(database: Database) -> None:
    person, other, number = await new_person(database), await new_person(database), new_number()
    code = await sent_code(database, person, number)
    for caller, phone in ((person.caller, phone_for(person, new_number())), (other.caller, phone_for(other, number))):
        with pytest.raises(CodeExpired):
            await verify(database, caller, phone, code)
    await verify(database, person.caller, phone_for(person, number), code)
    another = new_number()
    await verify(database, person.caller, phone_for(person, another), await sent_code(database, person, another))
    with pytest.raises(CodeExpired):
        await verify(database, person.caller, phone_for(person, number), code)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let calls wait long enough for each other on a slow machine."""
    monkeypatch.setattr("app.accounts.workspaces.phone_verification._WAIT_SECONDS", 60.0)


@pytest.mark.usefixtures("patient")
async def test_clicks_at_once_with_the_right_code_all_succeed_and_verify_the_number_once(database: Database) -> None:
    person, number = await new_person(database), new_number()
    code = await sent_code(database, person, number)
    clicks = [verify(database, person.caller, phone_for(person, number), code) for _ in range(MOST_TRIES)]
    assert await asyncio.gather(*clicks) == [person.user.personal_workspace_id] * MOST_TRIES
    async with database.read() as session:
        counted = select(func.count()).select_from(AuditEventRow)
        mine = AuditEventRow.workspace_id == person.user.personal_workspace_id
        assert await session.scalar(counted.where(mine, AuditEventRow.action == "phone.verified")) == 1


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("gone_as", [False, CodeGone])
async def test_a_click_whose_code_another_one_has_just_used_up_waits_for_what_that_one_writes_down(
    database: Database, gone_as: bool | type[CodeGone]
) -> None:
    """The provider's answer to the second click comes before the first one's is written down."""
    is_used, is_refused = asyncio.Event(), asyncio.Event()

    class SlowToWrite(InboxSmsSender):
        async def check_code(self, number: str, purpose: str, code: str) -> bool:
            if not is_used.is_set():
                is_used.set()
                assert await InboxSmsSender.check_code(self, number, purpose, code)
                await is_refused.wait()
                return True
            is_refused.set()
            if gone_as is CodeGone:
                raise CodeGone
            return False

    person, number = await new_person(database), new_number()
    code = await sent_code(database, person, number)
    by, phone = SlowToWrite(database, KEYS.codes), phone_for(person, number)
    clicks = [verify_phone(database, by, KEYS, person.caller, phone, code) for _ in range(2)]
    assert [each.workspace.id for each in await asyncio.gather(*clicks)] == [phone.workspace_id] * 2


async def test_a_click_after_the_code_did_its_work_is_answered_alike(database: Database) -> None:
    person, number = await new_person(database), new_number()
    code = await sent_code(database, person, number)
    for _ in range(MOST_TRIES + 2):
        await verify(database, person.caller, phone_for(person, number), code)


async def test_nobody_learns_by_guesses_which_number_a_workspace_has_verified(database: Database) -> None:
    person, number = await new_person(database), new_number()
    await verify(database, person.caller, phone_for(person, number), await sent_code(database, person, number))
    later = at_later(database, timedelta(minutes=10))
    for guess in (number, new_number()):
        with pytest.raises(CodeExpired):
            await verify(later, person.caller, phone_for(person, guess), "123456")
    for guess in (number, new_number()):
        code = await sent_code(later, person, guess)
        with pytest.raises(CodeWrong):
            await verify(later, person.caller, phone_for(person, guess), other_than(code))


@pytest.mark.parametrize("code", ["", "08225", "1234567", "abc", "abcdef", "1234 567", "12.34.56", "\0"])
async def test_what_is_no_code_is_refused_as_such_and_takes_no_try(database: Database, code: str) -> None:
    person, number = await new_person(database), new_number()
    right = await sent_code(database, person, number)
    for _ in range(MOST_TRIES + 1):
        with pytest.raises(InvalidInput, match="6 digits") as refused:
            await verify(database, person.caller, phone_for(person, number), code)
        assert refused.value.path == ("input", "code")
    await verify(database, person.caller, phone_for(person, number), right)


async def test_a_number_verifies_three_workspaces_however_many_try_at_once(database: Database) -> None:
    number = new_number()
    people = [await new_person(database) for _ in range(MOST_WORKSPACES + 3)]
    codes = [await sent_code(database, person, number) for person in people]
    outcomes = await asyncio.gather(
        *(
            verify(database, person.caller, phone_for(person, number), code)
            for person, code in zip(people, codes, strict=True)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, UUID) for outcome in outcomes) == MOST_WORKSPACES
    refusals = [outcome for outcome in outcomes if isinstance(outcome, PhoneInUse)]
    assert len(refusals) == 3
    assert f"has verified {MOST_WORKSPACES} workspaces" in refusals[0].message
    async with database.read() as session:
        verified = [await phone_store.of_workspace(session, person.user.personal_workspace_id) for person in people]
    assert sum(phone is not None for phone in verified) == MOST_WORKSPACES


async def test_changing_numbers_frees_no_place_and_verifying_again_takes_none(fresh_database: Database) -> None:
    number, another = new_number(), new_number()
    people = [await new_person(fresh_database) for _ in range(MOST_WORKSPACES + 1)]
    for person in people[:MOST_WORKSPACES]:
        for each in (number, another, number):
            code = await sent_code(fresh_database, person, each)
            await verify(fresh_database, person.caller, phone_for(person, each), code)
    late = people[-1]
    code = await sent_code(fresh_database, late, number)
    with pytest.raises(PhoneInUse):
        await verify(fresh_database, late.caller, phone_for(late, number), code)
    async with fresh_database.read() as session:
        assert await session.scalar(select(func.count()).select_from(PhoneUseRow)) == 2 * MOST_WORKSPACES


@pytest.mark.parametrize("role", ["ADMIN", "MEMBER"])
async def test_only_an_owner_verifies_a_phone(database: Database, role: str) -> None:
    owner, person, number = await new_person(database), await new_person(database), new_number()

    async def join(session: Session) -> None:
        session.add(
            MembershipRow(
                workspace_id=owner.user.personal_workspace_id,
                user_id=person.user.id,
                role=role,
                joined_at=session.now,
            )
        )

    await transact(database, join)
    code = await sent_code(database, owner, number)
    for denied in (
        send(database, person.caller, phone_for(owner, number)),
        verify(database, person.caller, phone_for(owner, number), code),
    ):
        with pytest.raises(Forbidden):
            await denied
    assert await texted_codes(database, number) == [code]


async def test_strangers_keys_and_nobody_verify_no_phone_and_learn_nothing(database: Database) -> None:
    owner, stranger = await new_person(database), await new_person(database)
    key = KeyCaller(uuid4(), None, "a server", frozenset(ApiScope))
    refusals: list[tuple[Caller, type[Exception]]] = [
        (stranger.caller, NotFound),
        (key, Forbidden),
        (ANONYMOUS, Unauthenticated),
    ]
    for caller, refusal in refusals:
        for number in (new_number(), "not a number"):
            with pytest.raises(refusal):
                await send(database, caller, phone_for(owner, number))
            with pytest.raises(refusal):
                await verify(database, caller, phone_for(owner, number), "123456")
            assert await texted_codes(database, number) == []


async def test_a_provider_that_is_down_is_unavailable_and_the_next_code_works(database: Database) -> None:
    class Down:
        async def send_code(self, number: str, purpose: str) -> None:
            raise Unavailable

        async def check_code(self, number: str, purpose: str, code: str) -> bool:
            raise Unavailable

        async def drop_code(self, number: str, purpose: str) -> None:
            return

    person, number = await new_person(database), new_number()
    with pytest.raises(Unavailable):
        await send(database, person.caller, phone_for(person, number), by=Down())
    code = await sent_code(database, person, number)
    await verify(database, person.caller, phone_for(person, number), code)


@pytest.mark.parametrize("between", [" ", "-", "\u2011", "\u00a0", "\u200b"])
async def test_a_phone_code_may_be_pasted_with_blanks(database: Database, between: str) -> None:
    person, number = await new_person(database), new_number()
    code = await sent_code(database, person, number)
    pasted = f" {code[:3]}{between}{code[3:]}\n"
    assert await verify(database, person.caller, phone_for(person, number), pasted) == person.user.personal_workspace_id
