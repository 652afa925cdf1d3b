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
from app.accounts.security.shared_errors import TokenExpired
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
from tests.support.organizations import AccountsApi, Organization
from tests.support.running_backend import CATALOGS
from tests.support.subscriptions import choice_of, subscribe

_OFFER = "query ($token: String!) { invitationOffer(token: $token) { organizationName } }"
_INVITATIONS = "query ($id: ID!) { workspace(id: $id) { invitations { emailAddress } } }"
_CATALOG = load_catalog(CATALOGS / "compute.toml")
_ONE_SEAT_CATALOG = load_catalog(CATALOGS / "analytics.toml")


def _codes(payload: dict[str, Any]) -> list[str]:
    return [error["code"] for error in payload["userErrors"]]


async def _add_email(accounts: AccountsApi, person: Person, address: str, *, verified: bool) -> None:
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

    await transact(accounts.database, add)


async def _accept_at(database: Database, person: Person, token: str) -> WorkspaceAccess | None:
    async def accept(session: Session) -> WorkspaceAccess | None:
        return (await accept_invitation(session, _CATALOG, person.caller, token, "a key")).access

    return await transact(database, accept)


@pytest.mark.parametrize("role", ["OWNER", "ADMIN", "MEMBER"])
async def test_who_accepts_belongs_to_the_organization_as_what_they_were_invited_as(
    accounts: AccountsApi, role: str
) -> None:
    organization = await accounts.organization()
    person, token = await accounts.invited(organization, role)
    payload = await accounts.accept(person, token)
    assert payload["userErrors"] == []
    assert (payload["workspace"]["id"], payload["workspace"]["viewerRole"]) == (organization.id, role)
    assert (await accounts.roles(organization))[person.user.id] == role
    listed = await accounts.ask(person, "{ viewer { workspaces { id } } }")
    assert [each["id"] for each in listed["viewer"]["workspaces"]][1:] == [organization.id]


async def test_a_link_is_good_for_who_has_verified_its_address_and_says_what_is_missing(accounts: AccountsApi) -> None:
    organization = await accounts.organization()
    person, address = await accounts.person(), new_address()
    token = await accounts.invite(organization, address)
    before = await accounts.state(organization)

    stranger = await accounts.accept(person, token)
    assert _codes(stranger) == ["EMAIL_UNVERIFIED"]
    assert address not in stranger["userErrors"][0]["message"]
    await _add_email(accounts, person, address.upper(), verified=False)
    holder = await accounts.accept(person, token)
    assert _codes(holder) == ["EMAIL_UNVERIFIED"]
    assert address.upper() in holder["userErrors"][0]["message"]
    assert await accounts.state(organization) == before

    other = await accounts.person()
    await _add_email(accounts, other, address, verified=True)
    assert (await accounts.accept(other, token))["workspace"]["viewerRole"] == "MEMBER"


async def test_neither_keys_nor_nobody_accept(accounts: AccountsApi) -> None:
    organization = await accounts.organization()
    _, token = await accounts.invited(organization)
    before = await accounts.state(organization)
    given = {"token": token, "idempotencyKey": "a key"}
    assert await accounts.forbidden(await accounts.key(*ApiScope), "acceptInvitation", **given) == "FORBIDDEN"
    assert await accounts.forbidden(None, "acceptInvitation", **given) == "UNAUTHENTICATED"
    assert await accounts.state(organization) == before


@pytest.mark.parametrize("token", ["", "made up", "\N{SNOWMAN}", "x" * 10_000])
async def test_a_token_that_was_never_mailed_leads_nowhere(accounts: AccountsApi, token: str) -> None:
    payload = await accounts.accept(await accounts.person(), token)
    [error] = payload["userErrors"]
    assert (error["code"], error["path"]) == ("TOKEN_EXPIRED", ["input", "token"])


@pytest.mark.parametrize("key", ["", "x" * 256])
async def test_an_idempotency_key_has_1_to_255_characters(accounts: AccountsApi, key: str) -> None:
    organization = await accounts.organization()
    person, token = await accounts.invited(organization)
    given = {"token": token, "idempotencyKey": key}
    assert await accounts.forbidden(person, "acceptInvitation", **given) == "BAD_USER_INPUT"
    assert person.user.id not in await accounts.roles(organization)


async def _waiting(accounts: AccountsApi, organization: Organization) -> set[str]:
    """The addresses of the invitations that are shown to wait."""
    shown = (await accounts.ask(organization.owner, _INVITATIONS, id=organization.id))["workspace"]["invitations"]
    return {invitation["emailAddress"] for invitation in shown}


async def test_a_link_lasts_7_days(accounts: AccountsApi) -> None:
    organization = await accounts.organization()
    person, token = await accounts.invited(organization)
    with pytest.raises(TokenExpired):
        await _accept_at(at_later(accounts.database, timedelta(days=7)), person, token)
    assert person.user.id not in await accounts.roles(organization)
    await _accept_at(at_later(accounts.database, timedelta(days=7) - timedelta(minutes=1)), person, token)
    assert person.user.id in await accounts.roles(organization)


async def test_invitations_lapse_when_the_clock_of_development_moves(accounts: AccountsApi) -> None:
    organization = await accounts.organization()
    person, token = await accounts.invited(organization)
    moved = Database(accounts.database.engine, Clock(timedelta(days=7)))
    with pytest.raises(TokenExpired):
        await _accept_at(moved, person, token)
    await transact(moved, purge_expired)
    assert await _waiting(accounts, organization) == set()


async def test_a_link_followed_again_by_who_joined_with_it_says_so(accounts: AccountsApi) -> None:
    organization = await accounts.organization()
    person, token = await accounts.invited(organization)
    await accounts.accept(person, token)
    before = await accounts.state(organization)

    again = await accounts.accept(person, token)
    offered = await accounts.ask(person, _OFFER, token=token)

    assert (again["workspace"]["id"], again["userErrors"]) == (organization.id, [])
    assert offered["invitationOffer"]["organizationName"] == "Acme"
    assert await accounts.state(organization) == before
    stranger = await accounts.person()
    assert _codes(await accounts.accept(stranger, token)) == ["TOKEN_EXPIRED"]
    assert (await accounts.ask(stranger, _OFFER, token=token))["invitationOffer"] is None
    await accounts.do(person, "removeMember", id=organization.membership(person))
    assert (await accounts.ask(person, _OFFER, token=token))["invitationOffer"] is None


async def test_a_link_works_once(accounts: AccountsApi) -> None:
    organization = await accounts.organization()
    person, token = await accounts.invited(organization)
    await accounts.accept(person, token)
    await accounts.do(organization.owner, "removeMember", id=organization.membership(person))
    before = await accounts.state(organization)
    assert _codes(await accounts.accept(person, token)) == ["TOKEN_EXPIRED"]
    assert await accounts.state(organization) == before


@pytest.mark.parametrize("invited_as", ["OWNER", "MEMBER"])
async def test_who_is_a_member_already_stays_what_they_are_and_uses_the_link_up(
    accounts: AccountsApi, invited_as: str
) -> None:
    organization = await accounts.organization()
    address = new_address()
    person = await accounts.seat(organization, await accounts.person(address), "ADMIN")
    token = await accounts.invite(organization, address, invited_as)
    payload = await accounts.accept(person, token)
    assert (payload["userErrors"], payload["workspace"]["viewerRole"]) == ([], "ADMIN")
    assert payload["workspace"]["invitations"] == []
    again = await accounts.accept(person, token)
    assert (again["userErrors"], again["workspace"]["viewerRole"]) == ([], "ADMIN")


async def test_the_same_key_again_answers_the_present_state(accounts: AccountsApi) -> None:
    organization = await accounts.organization()
    person, token = await accounts.invited(organization)
    await accounts.accept(person, token, "a key")
    given = {"membershipId": organization.membership(person), "role": "ADMIN"}
    await accounts.do(organization.owner, "changeMemberRole", **given)
    before = await accounts.state(organization)
    again = await accounts.accept(person, token, "a key")
    assert (again["userErrors"], again["workspace"]["viewerRole"]) == ([], "ADMIN")
    assert await accounts.state(organization) == before
    await accounts.do(person, "removeMember", id=organization.membership(person))
    assert await accounts.accept(person, token, "a key") == {"workspace": None, "userErrors": []}
    assert person.user.id not in await accounts.roles(organization)


async def test_the_same_key_with_another_token_is_a_conflict(accounts: AccountsApi) -> None:
    first, second = await accounts.organization(), await accounts.organization()
    address = new_address()
    person = await accounts.person(address)
    tokens = [await accounts.invite(each, address) for each in (first, second)]
    await accounts.accept(person, tokens[0], "a key")
    before = await accounts.state(second)
    for token in (tokens[1], "made up"):
        assert _codes(await accounts.accept(person, token, "a key")) == ["IDEMPOTENCY_CONFLICT"]
    assert await accounts.state(second) == before
    assert (await accounts.accept(person, tokens[1], "another"))["userErrors"] == []


async def test_a_key_is_its_persons_own(accounts: AccountsApi) -> None:
    organization = await accounts.organization()
    for _ in range(2):
        person, token = await accounts.invited(organization)
        assert (await accounts.accept(person, token, "everyone's key"))["userErrors"] == []


async def test_a_refused_acceptance_remembers_nothing(one_seat_accounts: AccountsApi) -> None:
    organization = await one_seat_accounts.organization()
    person, token = await one_seat_accounts.invited(organization)
    assert _codes(await one_seat_accounts.accept(person, token, "a key")) == ["SEATS_IN_USE"]
    await subscribe(one_seat_accounts.database, organization.row_id, choice_of(_ONE_SEAT_CATALOG, "team", 2))
    assert (await one_seat_accounts.accept(person, token, "a key"))["userErrors"] == []


async def test_an_acceptance_is_known_by_its_key_for_90_days_without_the_address(accounts: AccountsApi) -> None:
    organization = await accounts.organization()
    person, token = await accounts.invited(organization)
    await accounts.accept(person, token, "a key")
    [row] = await accounts.invitations(organization)
    assert (row.address, row.address_key) == (None, None)
    nearly = at_later(accounts.database, timedelta(days=89))
    await transact(nearly, purge_expired)
    assert await _accept_at(nearly, person, token) is not None
    await transact(at_later(accounts.database, timedelta(days=91)), purge_expired)
    assert await accounts.invitations(organization) == []


async def test_one_key_at_once_has_one_effect_and_equal_answers(accounts: AccountsApi) -> None:
    organization = await accounts.organization()
    person, token = await accounts.invited(organization)
    answers = await asyncio.gather(*(accounts.accept(person, token, "a key") for _ in range(10)))
    assert answers[0]["workspace"]["viewerRole"] == "MEMBER"
    assert [answer for answer in answers if answer != answers[0]] == []
    assert [event.action for event in await accounts.log(organization.row_id)].count("invitation.accepted") == 1


async def test_many_keys_at_once_for_one_link_join_once(accounts: AccountsApi) -> None:
    organization = await accounts.organization()
    person, token = await accounts.invited(organization)
    answers = await asyncio.gather(*(accounts.accept(person, token) for _ in range(6)))
    assert [_codes(answer) for answer in answers] == [[]] * 6
    assert len(await accounts.roles(organization)) == 2
    assert [event.action for event in await accounts.log(organization.row_id)].count("invitation.accepted") == 1


async def test_one_key_at_once_for_two_links_joins_one(accounts: AccountsApi) -> None:
    address = new_address()
    person = await accounts.person(address)
    organizations = [await accounts.organization() for _ in range(4)]
    tokens = [await accounts.invite(each, address) for each in organizations]
    answers = await asyncio.gather(*(accounts.accept(person, token, "a key") for token in tokens))
    assert sorted(map(_codes, answers)) == [[], *[["IDEMPOTENCY_CONFLICT"]] * 3]
    assert sum([len(await accounts.roles(each)) for each in organizations]) == 5


async def test_a_link_that_is_accepted_and_revoked_at_once_does_one_of_both(accounts: AccountsApi) -> None:
    organization = await accounts.organization()
    for _ in range(5):
        person, token = await accounts.invited(organization)
        [open_one] = [row for row in await accounts.invitations(organization) if row.accepted_by is None]
        revoking = accounts.ask(
            organization.owner,
            "mutation ($id: ID!) { revokeInvitation(input: {id: $id}) { userErrors { code } } }",
            id=_invitation(organization, open_one),
        )
        accepted, revoked = await asyncio.gather(accounts.accept(person, token), revoking, return_exceptions=True)
        assert isinstance(accepted, dict)
        joined = person.user.id in await accounts.roles(organization)
        assert joined == (accepted["userErrors"] == []) == isinstance(revoked, AssertionError)
        if joined:
            await accounts.do(person, "removeMember", id=organization.membership(person))


def _invitation(organization: Organization, row: InvitationRow) -> str:
    return str(GlobalId("Invitation", row.id, organization.row_id))


async def test_where_no_seat_is_free_nobody_joins(one_seat_accounts: AccountsApi) -> None:
    organization = await one_seat_accounts.organization()
    person, token = await one_seat_accounts.invited(organization)
    before = await one_seat_accounts.state(organization)
    payload = await one_seat_accounts.accept(person, token)
    assert _codes(payload) == ["SEATS_IN_USE"]
    assert await one_seat_accounts.state(organization) == before


async def test_a_seat_that_is_freed_can_be_taken_with_the_same_link(accounts: AccountsApi) -> None:
    organization = await accounts.organization()
    others = [await accounts.seat(organization, await accounts.person()) for _ in range(9)]
    person, token = await accounts.invited(organization)
    assert _codes(await accounts.accept(person, token)) == ["SEATS_IN_USE"]
    await accounts.do(organization.owner, "removeMember", id=organization.membership(others[0]))
    assert (await accounts.accept(person, token))["userErrors"] == []


async def test_who_is_a_member_already_needs_no_seat_to_use_a_link_up(one_seat_accounts: AccountsApi) -> None:
    address = new_address()
    owner = await one_seat_accounts.person(address)
    organization = await one_seat_accounts.organization(owner)
    token = await one_seat_accounts.invite(organization, address)
    assert (await one_seat_accounts.accept(owner, token))["workspace"]["viewerRole"] == "OWNER"


async def test_seats_are_not_bought_automatically_so_far(fresh_database: Database) -> None:
    url = fresh_database.engine.url.set(drivername="postgresql").render_as_string(False)
    async with running_api(url, catalog=CATALOGS / "messaging.toml") as running:
        accounts = AccountsApi(running)
        organization = await accounts.organization()
        person, token = await accounts.invited(organization)
        assert _codes(await accounts.accept(person, token)) == ["SEATS_IN_USE"]


async def test_of_ten_who_race_for_the_last_seat_one_wins(accounts: AccountsApi) -> None:
    organization = await accounts.organization()
    for _ in range(8):
        await accounts.seat(organization, await accounts.person())
    invited = [await accounts.invited(organization) for _ in range(10)]
    answers = await asyncio.gather(*(accounts.accept(person, token) for person, token in invited))
    assert sorted(map(_codes, answers)) == [[], *[["SEATS_IN_USE"]] * 9]
    assert len(await accounts.roles(organization)) == 10


async def test_an_acceptance_is_in_the_log(accounts: AccountsApi) -> None:
    organization = await accounts.organization()
    member = await accounts.member(organization, "ADMIN")
    event = (await accounts.log(organization.row_id))[-1]
    assert (event.action, event.actor_user_id, event.subject_user_id) == ("invitation.accepted", member.user.id, None)
    invited = (await accounts.log(organization.row_id))[-2].detail
    assert invited is not None
    assert event.detail == {"before": {"role": None}, "after": invited["after"]}
    assert invited["after"]["role"] == "ADMIN"


async def test_a_person_whose_account_is_gone_joins_nothing(accounts: AccountsApi) -> None:
    organization = await accounts.organization()
    person, token = await accounts.invited(organization)

    async def erase(session: Session) -> None:
        await session.execute(delete(UserRow).where(UserRow.id == person.user.id))

    await transact(accounts.database, erase)
    with pytest.raises(Unauthenticated):
        await _accept_at(accounts.database, person, token)
    assert len(await accounts.roles(organization)) == 1
