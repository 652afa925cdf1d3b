"""Erasing a person: what is deleted, and what belongs to others and stays."""

from __future__ import annotations

from sqlalchemy import select, update

from app.accounts.erasure import erase_person
from app.accounts.people.email_addresses import add_email
from app.accounts.people.sign_up import SignUp, sign_up
from app.db.engine import Database, Session
from app.db.tables.people import AvatarLeftoverRow, SignUpRow, UserRow
from app.db.tables.workspaces import WorkspaceRow
from app.db.unit_of_work import transact
from tests.support.accounts import (
    KEYS,
    LIMITS_OFF,
    PASSWORD,
    Person,
    new_address,
    new_person,
    queued_mails,
    quick_passwords,
)


async def _erase(database: Database, person: Person) -> None:
    async def work(session: Session) -> None:
        workspace = await session.get(WorkspaceRow, person.user.personal_workspace_id)
        assert workspace is not None
        await erase_person(session, KEYS, person.user.id, [workspace])

    await transact(database, work)


async def _add(database: Database, person: Person, address: str) -> None:
    await add_email(
        database, KEYS, LIMITS_OFF, person.caller, address, remote_address="192.0.2.1", public_url="https://a.example"
    )


async def test_the_images_of_an_erased_person_are_erased_by_the_worker(database: Database) -> None:
    person, digest = await new_person(database), "d" * 64

    async def show(session: Session) -> None:
        await session.execute(update(UserRow).where(UserRow.id == person.user.id).values(avatar_digest=digest))

    await transact(database, show)
    await _erase(database, person)
    async with database.read() as session:
        leftover = await session.get(AvatarLeftoverRow, digest)
        assert leftover is not None
        assert leftover.due_at <= session.now


async def test_mails_on_their_way_to_an_erased_person_are_taken_back(database: Database) -> None:
    address = new_address()
    person, other = await new_person(database, address=address), new_address()
    await _add(database, await new_person(database), other)
    await _add(database, await new_person(database), address)
    assert len(await queued_mails(database, address)) == 1
    await _erase(database, person)
    assert await queued_mails(database, address) == []
    assert len(await queued_mails(database, other)) == 1


async def test_mails_about_an_erased_account_go_to_no_address_of_theirs(database: Database) -> None:
    person, claimed = await new_person(database), new_address()
    await _add(database, person, claimed)
    await _add(database, await new_person(database), claimed)
    assert len(await queued_mails(database, claimed)) == 2

    await _erase(database, person)

    # the other's stays
    assert len(await queued_mails(database, claimed)) == 1


async def test_what_waits_for_the_real_owner_of_an_address_that_was_only_claimed_stays(database: Database) -> None:
    claimed, person = new_address(), await new_person(database)
    await _add(database, person, claimed)
    form = SignUp(email_address=claimed, password=PASSWORD)
    await sign_up(
        database,
        quick_passwords(),
        KEYS,
        LIMITS_OFF,
        form,
        remote_address="192.0.2.1",
        public_url="https://a.example",
    )
    await _erase(database, person)
    async with database.read() as session:
        assert await session.scalar(select(SignUpRow).where(SignUpRow.address_key == claimed)) is not None
    [mail] = await queued_mails(database, claimed)
    assert mail.subject == "Confirm your e-mail address"
