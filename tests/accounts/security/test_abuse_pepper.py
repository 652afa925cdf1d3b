"""The pepper of what guards against abuse: hashes of a former one are found again, and renewed where they are kept for good."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest
from pydantic import ValidationError
from sqlalchemy import select

from app.accounts.people.handles import HandleTaken, claim_handle, give_up_handle, require_free_handle
from app.accounts.security.secrets import Keys, derive_keys
from app.accounts.workspaces.phone_verification import MOST_WORKSPACES, PhoneInUse, send_code, verify_phone
from app.db.engine import Database, Session
from app.db.tables.workspaces import PhoneUseRow
from app.db.unit_of_work import transact
from app.store import phones as phone_store
from app.store import workspaces as workspace_store
from tests.support.accounts import KEYS, LIMITS_OFF, SECRET_KEY, new_network, new_person, sms_sender, texted_codes
from tests.support.phones import new_number, phone_for
from tests.support.running_backend import GivenSettings

_PEPPER, _NEXT = "a pepper for tests only", "another pepper for tests"
_MOVED = derive_keys(SECRET_KEY, _PEPPER)
_TWICE = derive_keys(SECRET_KEY, _NEXT, [_PEPPER])


def test_a_pepper_changes_the_guards_and_nothing_else() -> None:
    assert replace(_MOVED, phones=KEYS.phones, abuse_key=KEYS.abuse_key) == KEYS
    assert _MOVED.abuse_key.present != KEYS.abuse_key.present
    assert derive_keys("another secret key", _PEPPER).abuse_key.present == _MOVED.abuse_key.present


def test_what_the_secret_key_and_former_peppers_hashed_is_found_again() -> None:
    assert KEYS.abuse_key.hash("x") in _MOVED.abuse_key.former_hashes("x")
    assert _TWICE.abuse_key.hashes("x") == [
        _TWICE.abuse_key.hash("x"), _MOVED.abuse_key.hash("x"), KEYS.abuse_key.hash("x"),
    ]  # fmt: skip
    assert KEYS.abuse_key.former == ()


def test_a_former_secret_key_can_be_named_as_a_former_pepper() -> None:
    renewed = derive_keys("another secret key", _PEPPER, [SECRET_KEY])
    assert KEYS.phones.hash("+31") in renewed.phones.former_hashes("+31")


@pytest.mark.parametrize("keys", [_MOVED, _TWICE], ids=["a first pepper", "the next pepper"])
async def test_a_handle_that_was_held_before_is_held_under_another_pepper(database: Database, keys: Keys) -> None:
    person, other = await new_person(database), await new_person(database)

    async def give_up(session: Session) -> str:
        workspace = await workspace_store.get(session, person.user.personal_workspace_id)
        assert workspace is not None
        await give_up_handle(session, KEYS.abuse_key, workspace)
        return workspace.handle

    handle = await transact(database, give_up)

    async def claim(session: Session, workspace_id: UUID) -> bool:
        await workspace_store.free_handle(session, workspace_id)
        return await claim_handle(session, keys.abuse_key, handle, workspace_id)

    async with database.read() as session:
        with pytest.raises(HandleTaken):
            await require_free_handle(session, keys.abuse_key, handle, path=("input", "handle"))
    assert not await transact(database, lambda session: claim(session, other.user.personal_workspace_id))
    assert await transact(database, lambda session: claim(session, person.user.personal_workspace_id))


async def _verify(database: Database, number: str, keys: Keys) -> UUID:
    """Verify a number for somebody's workspace, which is returned, by a server with these keys."""
    person = await new_person(database)
    phone, sender = phone_for(person, number), sms_sender(database)
    await send_code(database, sender, keys, LIMITS_OFF, person.caller, phone, remote_address=new_network())
    code = (await texted_codes(database, number))[0]
    return (await verify_phone(database, sender, keys, person.caller, phone, code)).workspace.id


async def _uses(database: Database, number: str, keys: Keys) -> list[UUID]:
    query = select(PhoneUseRow.workspace_id).where(PhoneUseRow.number_hash == keys.phones.hash(number))
    async with database.read() as session:
        return list(await session.scalars(query.order_by(PhoneUseRow.slot)))


async def test_a_number_verifies_no_more_workspaces_under_another_pepper(database: Database) -> None:
    number = new_number()
    verified = [await _verify(database, number, keys) for keys in (KEYS, _MOVED, _TWICE)]
    assert len(verified) == MOST_WORKSPACES
    with pytest.raises(PhoneInUse):
        await _verify(database, number, _TWICE)
    # kept by the present pepper, so that the former ones can be given up one day
    assert await _uses(database, number, _TWICE) == verified
    assert await _uses(database, number, _MOVED) == await _uses(database, number, KEYS) == []


async def test_of_more_workspaces_than_a_number_may_have_the_first_ones_are_kept(database: Database) -> None:
    number = new_number()
    # servers that did not know of one another's pepper
    apart = derive_keys("a secret key of elsewhere", _PEPPER)
    verified = [await _verify(database, number, keys) for keys in (apart, KEYS, KEYS, KEYS)]
    with pytest.raises(PhoneInUse):
        await _verify(database, number, _MOVED)
    assert await _uses(database, number, KEYS) == verified[1:]
    together = derive_keys(SECRET_KEY, _PEPPER)

    async def rehash(session: Session) -> None:
        present, former = together.phones.hash(number), together.phones.former_hashes(number)
        await phone_store.rehash_uses(session, former, present, most=MOST_WORKSPACES)

    await transact(database, rehash)
    assert await _uses(database, number, together) == verified[:MOST_WORKSPACES]


def _mistake(**given: object) -> str:
    with pytest.raises(ValidationError) as raised:
        GivenSettings(**given)  # pyright: ignore[reportArgumentType]
    assert "short" not in str(raised.value)
    return str(raised.value)


def test_a_pepper_is_long_and_another_secret_than_the_secret_key() -> None:
    assert "at least 16 characters" in _mistake(abuse_pepper="short")
    assert "at least 16 characters" in _mistake(abuse_pepper_old=f"{_PEPPER},short")
    assert "another secret than SECRET_KEY" in _mistake(abuse_pepper=_PEPPER, secret_key=_PEPPER)
    assert GivenSettings(abuse_pepper_old=f"{_PEPPER}, {_NEXT}").abuse_pepper_old == (_PEPPER, _NEXT)  # pyright: ignore
