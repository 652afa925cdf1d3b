"""Changing one's own profile, its visibility, and the User ID."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select

from app.accounts.people import profile_changes
from app.accounts.people.handles import HandleInvalid, HandleTaken
from app.accounts.people.users import User, Visibility, find_user
from app.accounts.workspaces.organizations import WorkspaceChange, update_workspace
from app.clock import Clock
from app.db.engine import Database, Session
from app.db.tables.access import AuditEventRow
from app.db.tables.workspaces import HandleHoldRow, WorkspaceRow
from app.db.unit_of_work import transact
from app.errors import InvalidInput
from tests.support.accounts import KEYS, LIMITS_OFF, Person, new_person


async def _user(database: Database, person: Person) -> User:
    async with database.read() as session:
        user = await find_user(session, person.user.id)
    assert user is not None
    return user


async def _update(database: Database, person: Person, **changes: str | None) -> User:
    await transact(database, lambda session: profile_changes.update_profile(session, person.caller, changes))
    return await _user(database, person)


async def _go_by(database: Database, person: Person, handle: str) -> User:
    async def change(session: Session) -> None:
        await profile_changes.change_user_id(session, KEYS, person.caller, handle)

    await transact(database, change)
    return await _user(database, person)


def _in_days(database: Database, days: int) -> Database:
    return Database(database.engine, Clock(offset=timedelta(days=days)))


async def test_an_omitted_field_stays_and_null_or_blanks_clear_one(database: Database) -> None:
    person = await new_person(database)
    await _update(database, person, first_name=" Ada ", company="Analytical Engines", bio="First line\r\nSecond line")
    after = await _update(database, person, company=None, job_title="  ")
    assert (after.first_name, after.company, after.job_title) == ("Ada", None, None)
    assert after.bio == "First line\nSecond line"


@pytest.mark.parametrize(
    ("field", "text", "path"),
    [
        ("first_name", "x" * 101, "firstName"),
        ("last_name", "two\nlines", "lastName"),
        ("company", "bell\x07", "company"),
        ("job_title", "x" * 101, "jobTitle"),
        ("bio", "x" * 1_001, "bio"),
        ("bio", "bell\x07", "bio"),
    ],
)
async def test_what_is_too_long_or_no_text_is_refused_and_nothing_changes(
    database: Database, field: str, text: str, path: str
) -> None:
    person = await new_person(database)
    with pytest.raises(InvalidInput) as refused:
        await _update(database, person, **{"company": "Kept out", field: text})
    assert refused.value.path == ("input", path)
    assert await _user(database, person) == person.user


async def _workspace(database: Database, person: Person) -> WorkspaceRow:
    async with database.read() as session:
        return (
            await session.scalars(select(WorkspaceRow).where(WorkspaceRow.id == person.user.personal_workspace_id))
        ).one()


async def _rename(database: Database, person: Person, name: str) -> None:
    await update_workspace(
        database,
        LIMITS_OFF,
        KEYS.abuse_key,
        person.caller,
        person.user.personal_workspace_id,
        WorkspaceChange(name=name),
        owners_set_external_ids=True,
    )


async def test_the_personal_workspace_goes_by_its_owners_present_names(database: Database) -> None:
    person = await new_person(database)
    versions = [(await _workspace(database, person)).version]
    for changes, name in (
        ({"first_name": "Old", "last_name": "Name"}, "Old Name"),
        ({"first_name": "New"}, "New Name"),
        ({"first_name": None}, "Name"),
        ({"last_name": None}, person.user.handle),
    ):
        await _update(database, person, **changes)
        workspace = await _workspace(database, person)
        assert workspace.name == name
        versions.append(workspace.version)
    assert versions == [versions[0] + number for number in range(5)]
    await _update(database, person, first_name=None, bio="Nothing of names")
    assert (await _workspace(database, person)).version == versions[-1]


async def test_the_personal_workspace_of_a_person_without_names_goes_by_their_present_user_id(
    database: Database,
) -> None:
    person = await new_person(database, handle="before-this-one")
    await _go_by(database, person, "after-that-one")
    assert (await _workspace(database, person)).name == "after-that-one"
    await _update(database, person, first_name="Ada")
    await _go_by(database, person, "yet-another-one")
    assert (await _workspace(database, person)).name == "Ada"


async def test_a_personal_workspace_that_its_owner_renamed_keeps_that_name(database: Database) -> None:
    person = await new_person(database)
    await _update(database, person, first_name="Old")
    await _rename(database, person, "Workshop")
    await _update(database, person, first_name="New")
    await _go_by(database, person, "keeps-the-workshop")
    await _update(database, person, first_name=None)
    assert (await _workspace(database, person)).name == "Workshop"


async def test_that_the_personal_workspace_follows_is_logged_without_any_name(database: Database) -> None:
    person = await new_person(database)
    await _update(database, person, first_name="Clandestine", last_name="Person")
    mine = AuditEventRow.workspace_id == person.user.personal_workspace_id
    async with database.read() as session:
        [event] = await session.scalars(select(AuditEventRow).where(mine, AuditEventRow.action == "workspace.renamed"))
    assert event.actor_user_id == person.user.id
    assert event.detail is None
    assert "Clandestine" not in event.summary


async def test_names_and_user_id_changed_at_once_both_reach_the_personal_workspace(database: Database) -> None:
    for number in range(5):
        person = await new_person(database)
        await asyncio.gather(_update(database, person, first_name="Ada"), _go_by(database, person, f"at-once-{number}"))
        assert (await _workspace(database, person)).name == "Ada"


async def test_a_new_account_is_private_and_its_owner_can_make_it_public(database: Database) -> None:
    person = await new_person(database)
    assert person.user.visibility is Visibility.PRIVATE
    await transact(database, lambda session: profile_changes.set_visibility(session, person.caller, Visibility.PUBLIC))
    assert (await _user(database, person)).visibility is Visibility.PUBLIC


async def test_a_user_id_is_shown_as_typed_and_can_change_its_case(database: Database) -> None:
    person = await new_person(database, handle="case-is-mine")
    assert (await _go_by(database, person, "Case-Is-Mine")).handle == "Case-Is-Mine"


async def test_a_user_id_of_another_is_taken_whatever_its_case(database: Database) -> None:
    await new_person(database, handle="somebody-else")
    person = await new_person(database)
    with pytest.raises(HandleTaken) as refused:
        await _go_by(database, person, "Somebody-Else")
    assert refused.value.path == ("input", "handle")
    assert await _user(database, person) == person.user


@pytest.mark.parametrize(
    "handle", ["ab", "x" * 40, "-leading", "trailing-", "two--hyphens", "раураl", "with space", "admin", "ab\n"]
)
async def test_what_has_not_the_form_of_a_user_id_is_refused(database: Database, handle: str) -> None:
    person = await new_person(database)
    with pytest.raises(HandleInvalid):
        await _go_by(database, person, handle)
    assert await _user(database, person) == person.user


async def test_nobody_else_can_take_a_freed_user_id_for_30_days(database: Database) -> None:
    first, second = await new_person(database, handle="once-mine"), await new_person(database)
    await _go_by(database, first, "moved-on")
    with pytest.raises(HandleTaken):
        await _go_by(database, second, "once-mine")
    with pytest.raises(HandleTaken):
        await _go_by(_in_days(database, 29), second, "ONCE-MINE")
    assert (await _go_by(_in_days(database, 31), second, "once-mine")).handle == "once-mine"


async def test_a_freed_user_id_is_not_made_up_for_a_newcomer_either(database: Database) -> None:
    first = await new_person(database, handle="freed-lately")
    await _go_by(database, first, "went-elsewhere")
    newcomer = await new_person(database, handle="freed-lately")
    assert newcomer.user.handle != "freed-lately"


async def test_who_gave_a_user_id_up_can_take_it_back(database: Database) -> None:
    person = await new_person(database, handle="back-and-forth")
    await _go_by(database, person, "forth-and-back")
    assert (await _go_by(database, person, "back-and-forth")).handle == "back-and-forth"


async def test_of_a_freed_user_id_only_a_keyed_hash_is_kept(database: Database) -> None:
    person = await new_person(database, handle="only-a-hash")
    await _go_by(database, person, "not-a-hash")
    async with database.read() as session:
        hold = await session.get(HandleHoldRow, KEYS.abuse_key.hash("only-a-hash"))
    assert hold is not None
    assert hold.workspace_id == person.user.personal_workspace_id


async def test_of_many_who_want_a_user_id_at_once_one_gets_it(database: Database) -> None:
    people = [await new_person(database) for _ in range(8)]
    outcomes = await asyncio.gather(
        *(_go_by(database, person, "wanted-by-many") for person in people), return_exceptions=True
    )
    won = [each for each in outcomes if isinstance(each, User)]
    assert [user.handle for user in won] == ["wanted-by-many"]
    assert [type(each) for each in outcomes if not isinstance(each, User)] == [HandleTaken] * 7
    for person in people:
        assert await _user(database, person) == person.user or person.user.id == won[0].id


async def test_two_who_swap_user_ids_at_once_both_wait_30_days(database: Database) -> None:
    one, other = await new_person(database, handle="swap-one"), await new_person(database, handle="swap-other")
    outcomes = await asyncio.gather(
        _go_by(database, one, "swap-other"), _go_by(database, other, "swap-one"), return_exceptions=True
    )
    assert [type(each) for each in outcomes] == [HandleTaken, HandleTaken]
    assert {(await _user(database, one)).handle, (await _user(database, other)).handle} == {"swap-one", "swap-other"}
