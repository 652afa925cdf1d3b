"""Accepting invitations: by whom, once, and while there is a seat."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete

from app.accounts.access.permissions import ApiScope
from app.accounts.access.workspace_access import WorkspaceAccess
from app.accounts.purge import purge_expired
from app.accounts.security.account_errors import TokenExpired
from app.billing.subscriptions.joining import accept_invitation
from app.catalog import load_catalog
from app.clock import Clock
from app.db.engine import Database, Session
from app.db.tables.people import EmailRow, UserRow
from app.db.tables.workspaces import InvitationRow
from app.db.unit_of_work import transact
from app.errors import Unauthenticated
from app.ids import GlobalId, uuid7
from tests.support.accounts import Person, at_later, new_address
from tests.support.api import running_api
from tests.support.organizations import Organization, Town
from tests.support.running_backend import CATALOGS

_OFFER = "query ($token: String!) { invitationOffer(token: $token) { organizationName } }"
_INVITATIONS = "query ($id: ID!) { workspace(id: $id) { invitations { emailAddress } } }"
_CATALOG = load_catalog(CATALOGS / "compute.toml")


def _codes(payload: dict[str, Any]) -> list[str]:
    return [error["code"] for error in payload["userErrors"]]


async def _add_email(town: Town, person: Person, address: str, *, verified: bool) -> None:
    async def add(session: Session) -> None:
        row = EmailRow(
            id=uuid7(),
            user_id=person.user.id,
            address=address,
            address_key=address.lower(),
            is_primary=False,
            verified_at=session.now if verified else None,
            created_at=session.now,
        )
        session.add(row)

    await transact(town.database, add)


async def _accept_at(database: Database, person: Person, token: str) -> WorkspaceAccess | None:
    async def accept(session: Session) -> WorkspaceAccess | None:
        return await accept_invitation(session, _CATALOG, person.caller, token, "a key")

    return await transact(database, accept)


@pytest.mark.parametrize("role", ["OWNER", "ADMIN", "MEMBER"])
async def test_who_accepts_belongs_to_the_organization_as_what_they_were_invited_as(town: Town, role: str) -> None:
    organization = await town.organization()
    person, token = await town.invited(organization, role)
    payload = await town.accept(person, token)
    assert payload["userErrors"] == []
    assert (payload["workspace"]["id"], payload["workspace"]["viewerRole"]) == (organization.id, role)
    assert (await town.roles(organization))[person.user.id] == role
    listed = await town.ask(person, "{ viewer { workspaces { id } } }")
    assert [each["id"] for each in listed["viewer"]["workspaces"]][1:] == [organization.id]


async def test_a_link_is_good_for_who_has_verified_its_address_and_says_what_is_missing(town: Town) -> None:
    organization = await town.organization()
    person, address = await town.person(), new_address()
    token = await town.invite(organization, address)
    before = await town.state(organization)

    stranger = await town.accept(person, token)
    assert _codes(stranger) == ["EMAIL_UNVERIFIED"]
    assert address not in stranger["userErrors"][0]["message"]
    await _add_email(town, person, address.upper(), verified=False)
    holder = await town.accept(person, token)
    assert _codes(holder) == ["EMAIL_UNVERIFIED"]
    assert address.upper() in holder["userErrors"][0]["message"]
    assert await town.state(organization) == before

    other = await town.person()
    await _add_email(town, other, address, verified=True)
    assert (await town.accept(other, token))["workspace"]["viewerRole"] == "MEMBER"


async def test_neither_keys_nor_nobody_accept(town: Town) -> None:
    organization = await town.organization()
    _, token = await town.invited(organization)
    before = await town.state(organization)
    given = {"token": token, "idempotencyKey": "a key"}
    assert await town.forbidden(await town.key(*ApiScope), "acceptInvitation", **given) == "FORBIDDEN"
    assert await town.forbidden(None, "acceptInvitation", **given) == "UNAUTHENTICATED"
    assert await town.state(organization) == before


@pytest.mark.parametrize("token", ["", "made up", "\N{SNOWMAN}", "x" * 10_000])
async def test_a_token_that_was_never_mailed_leads_nowhere(town: Town, token: str) -> None:
    payload = await town.accept(await town.person(), token)
    [error] = payload["userErrors"]
    assert (error["code"], error["path"]) == ("TOKEN_EXPIRED", ["input", "token"])


@pytest.mark.parametrize("key", ["", "x" * 256])
async def test_an_idempotency_key_has_1_to_255_characters(town: Town, key: str) -> None:
    organization = await town.organization()
    person, token = await town.invited(organization)
    given = {"token": token, "idempotencyKey": key}
    assert await town.forbidden(person, "acceptInvitation", **given) == "BAD_USER_INPUT"
    assert person.user.id not in await town.roles(organization)


async def _waiting(town: Town, organization: Organization) -> set[str]:
    """The addresses of the invitations that are shown to wait."""
    shown = (await town.ask(organization.owner, _INVITATIONS, id=organization.id))["workspace"]["invitations"]
    return {invitation["emailAddress"] for invitation in shown}


async def test_a_link_lasts_7_days(town: Town) -> None:
    organization = await town.organization()
    person, token = await town.invited(organization)
    with pytest.raises(TokenExpired):
        await _accept_at(at_later(town.database, timedelta(days=7)), person, token)
    assert person.user.id not in await town.roles(organization)
    await _accept_at(at_later(town.database, timedelta(days=7) - timedelta(minutes=1)), person, token)
    assert person.user.id in await town.roles(organization)


async def test_invitations_lapse_when_the_clock_of_development_moves(town: Town) -> None:
    organization = await town.organization()
    person, token = await town.invited(organization)
    moved = Database(town.database.engine, Clock(timedelta(days=7)))
    with pytest.raises(TokenExpired):
        await _accept_at(moved, person, token)
    await transact(moved, purge_expired)
    assert await _waiting(town, organization) == set()


async def test_a_link_followed_again_by_who_joined_with_it_says_so(town: Town) -> None:
    organization = await town.organization()
    person, token = await town.invited(organization)
    await town.accept(person, token)
    before = await town.state(organization)

    again = await town.accept(person, token)
    offered = await town.ask(person, _OFFER, token=token)

    assert (again["workspace"]["id"], again["userErrors"]) == (organization.id, [])
    assert offered["invitationOffer"]["organizationName"] == "Acme"
    assert await town.state(organization) == before
    stranger = await town.person()
    assert _codes(await town.accept(stranger, token)) == ["TOKEN_EXPIRED"]
    assert (await town.ask(stranger, _OFFER, token=token))["invitationOffer"] is None
    await town.do(person, "removeMember", id=organization.membership(person))
    assert (await town.ask(person, _OFFER, token=token))["invitationOffer"] is None


async def test_a_link_works_once(town: Town) -> None:
    organization = await town.organization()
    person, token = await town.invited(organization)
    await town.accept(person, token)
    await town.do(organization.owner, "removeMember", id=organization.membership(person))
    before = await town.state(organization)
    assert _codes(await town.accept(person, token)) == ["TOKEN_EXPIRED"]
    assert await town.state(organization) == before


@pytest.mark.parametrize("invited_as", ["OWNER", "MEMBER"])
async def test_who_is_a_member_already_stays_what_they_are_and_uses_the_link_up(town: Town, invited_as: str) -> None:
    organization = await town.organization()
    address = new_address()
    person = await town.seat(organization, await town.person(address), "ADMIN")
    token = await town.invite(organization, address, invited_as)
    payload = await town.accept(person, token)
    assert (payload["userErrors"], payload["workspace"]["viewerRole"]) == ([], "ADMIN")
    assert payload["workspace"]["invitations"] == []
    again = await town.accept(person, token)
    assert (again["userErrors"], again["workspace"]["viewerRole"]) == ([], "ADMIN")


async def test_the_same_key_again_answers_the_present_state(town: Town) -> None:
    organization = await town.organization()
    person, token = await town.invited(organization)
    await town.accept(person, token, "a key")
    given = {"membershipId": organization.membership(person), "role": "ADMIN"}
    await town.do(organization.owner, "changeMemberRole", **given)
    before = await town.state(organization)
    again = await town.accept(person, token, "a key")
    assert (again["userErrors"], again["workspace"]["viewerRole"]) == ([], "ADMIN")
    assert await town.state(organization) == before
    await town.do(person, "removeMember", id=organization.membership(person))
    assert await town.accept(person, token, "a key") == {"workspace": None, "userErrors": []}
    assert person.user.id not in await town.roles(organization)


async def test_the_same_key_with_another_token_is_a_conflict(town: Town) -> None:
    first, second = await town.organization(), await town.organization()
    address = new_address()
    person = await town.person(address)
    tokens = [await town.invite(each, address) for each in (first, second)]
    await town.accept(person, tokens[0], "a key")
    before = await town.state(second)
    for token in (tokens[1], "made up"):
        assert _codes(await town.accept(person, token, "a key")) == ["IDEMPOTENCY_CONFLICT"]
    assert await town.state(second) == before
    assert (await town.accept(person, tokens[1], "another"))["userErrors"] == []


async def test_a_key_is_its_persons_own(town: Town) -> None:
    organization = await town.organization()
    for _ in range(2):
        person, token = await town.invited(organization)
        assert (await town.accept(person, token, "everyone's key"))["userErrors"] == []


async def test_a_refused_acceptance_remembers_nothing(full_town: Town, town: Town) -> None:
    organization = await full_town.organization()
    person, token = await full_town.invited(organization)
    assert _codes(await full_town.accept(person, token, "a key")) == ["SEATS_IN_USE"]
    assert (await town.accept(person, token, "a key"))["userErrors"] == []


async def test_an_acceptance_is_known_by_its_key_for_90_days_without_the_address(town: Town) -> None:
    organization = await town.organization()
    person, token = await town.invited(organization)
    await town.accept(person, token, "a key")
    [row] = await town.invitations(organization)
    assert (row.address, row.address_key) == (None, None)
    nearly = at_later(town.database, timedelta(days=89))
    await transact(nearly, purge_expired)
    assert await _accept_at(nearly, person, token) is not None
    await transact(at_later(town.database, timedelta(days=91)), purge_expired)
    assert await town.invitations(organization) == []


async def test_one_key_at_once_has_one_effect_and_equal_answers(town: Town) -> None:
    organization = await town.organization()
    person, token = await town.invited(organization)
    answers = await asyncio.gather(*(town.accept(person, token, "a key") for _ in range(10)))
    assert answers[0]["workspace"]["viewerRole"] == "MEMBER"
    assert [answer for answer in answers if answer != answers[0]] == []
    assert [event.action for event in await town.log(organization.row_id)].count("invitation.accepted") == 1


async def test_many_keys_at_once_for_one_link_join_once(town: Town) -> None:
    organization = await town.organization()
    person, token = await town.invited(organization)
    answers = await asyncio.gather(*(town.accept(person, token) for _ in range(6)))
    assert [_codes(answer) for answer in answers] == [[]] * 6
    assert len(await town.roles(organization)) == 2
    assert [event.action for event in await town.log(organization.row_id)].count("invitation.accepted") == 1


async def test_one_key_at_once_for_two_links_joins_one(town: Town) -> None:
    address = new_address()
    person = await town.person(address)
    organizations = [await town.organization() for _ in range(4)]
    tokens = [await town.invite(each, address) for each in organizations]
    answers = await asyncio.gather(*(town.accept(person, token, "a key") for token in tokens))
    assert sorted(map(_codes, answers)) == [[], *[["IDEMPOTENCY_CONFLICT"]] * 3]
    assert sum([len(await town.roles(each)) for each in organizations]) == 5


async def test_a_link_that_is_accepted_and_revoked_at_once_does_one_of_both(town: Town) -> None:
    organization = await town.organization()
    for _ in range(5):
        person, token = await town.invited(organization)
        [open_one] = [row for row in await town.invitations(organization) if row.accepted_by is None]
        revoking = town.ask(
            organization.owner,
            "mutation ($id: ID!) { revokeInvitation(input: {id: $id}) { userErrors { code } } }",
            id=_invitation(organization, open_one),
        )
        accepted, revoked = await asyncio.gather(town.accept(person, token), revoking, return_exceptions=True)
        assert isinstance(accepted, dict)
        joined = person.user.id in await town.roles(organization)
        assert joined == (accepted["userErrors"] == []) == isinstance(revoked, AssertionError)
        if joined:
            await town.do(person, "removeMember", id=organization.membership(person))


def _invitation(organization: Organization, row: InvitationRow) -> str:
    return str(GlobalId("Invitation", row.id, organization.row_id))


async def test_where_no_seat_is_free_nobody_joins(full_town: Town) -> None:
    organization = await full_town.organization()
    person, token = await full_town.invited(organization)
    before = await full_town.state(organization)
    payload = await full_town.accept(person, token)
    assert _codes(payload) == ["SEATS_IN_USE"]
    assert await full_town.state(organization) == before


async def test_a_seat_that_is_freed_can_be_taken_with_the_same_link(town: Town) -> None:
    organization = await town.organization()
    others = [await town.seat(organization, await town.person()) for _ in range(9)]
    person, token = await town.invited(organization)
    assert _codes(await town.accept(person, token)) == ["SEATS_IN_USE"]
    await town.do(organization.owner, "removeMember", id=organization.membership(others[0]))
    assert (await town.accept(person, token))["userErrors"] == []


async def test_who_is_a_member_already_needs_no_seat_to_use_a_link_up(full_town: Town) -> None:
    address = new_address()
    owner = await full_town.person(address)
    organization = await full_town.organization(owner)
    token = await full_town.invite(organization, address)
    assert (await full_town.accept(owner, token))["workspace"]["viewerRole"] == "OWNER"


async def test_seats_are_not_bought_automatically_so_far(fresh_database: Database) -> None:
    url = fresh_database.engine.url.set(drivername="postgresql").render_as_string(False)
    async with running_api(url, catalog=CATALOGS / "messaging.toml") as running:
        town = Town(running)
        organization = await town.organization()
        person, token = await town.invited(organization)
        assert _codes(await town.accept(person, token)) == ["SEATS_IN_USE"]


async def test_of_ten_who_race_for_the_last_seat_one_wins(town: Town) -> None:
    organization = await town.organization()
    for _ in range(8):
        await town.seat(organization, await town.person())
    invited = [await town.invited(organization) for _ in range(10)]
    answers = await asyncio.gather(*(town.accept(person, token) for person, token in invited))
    assert sorted(map(_codes, answers)) == [[], *[["SEATS_IN_USE"]] * 9]
    assert len(await town.roles(organization)) == 10


async def test_an_acceptance_is_in_the_log(town: Town) -> None:
    organization = await town.organization()
    member = await town.member(organization, "ADMIN")
    event = (await town.log(organization.row_id))[-1]
    assert (event.action, event.actor_user_id, event.subject_user_id) == ("invitation.accepted", member.user.id, None)
    invited = (await town.log(organization.row_id))[-2].detail
    assert invited is not None
    assert event.detail == {"before": {"role": None}, "after": invited["after"]}
    assert invited["after"]["role"] == "ADMIN"


async def test_a_person_whose_account_is_gone_joins_nothing(town: Town) -> None:
    organization = await town.organization()
    person, token = await town.invited(organization)

    async def erase(session: Session) -> None:
        await session.execute(delete(UserRow).where(UserRow.id == person.user.id))

    await transact(town.database, erase)
    with pytest.raises(Unauthenticated):
        await _accept_at(town.database, person, token)
    assert len(await town.roles(organization)) == 1
