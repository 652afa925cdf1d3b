"""Invitations: who may send them, what the mail says, and when a link is dead."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from app.accounts.access.permissions import ApiScope
from app.accounts.access.workspace_access import workspace_seen_by
from app.accounts.purge import purge_expired
from app.accounts.workspaces import invitations
from app.accounts.workspaces.invitations import PER_ADDRESS_A_DAY, NewInvitation
from app.db.engine import Database
from app.db.reads import Reads
from app.db.unit_of_work import transact
from app.errors import InvalidInput, RateLimited
from app.ids import GlobalId
from tests.support.accounts import KEYS, LIMITS_OFF, LIMITS_ON, at_later, new_address, new_network, queued_mails
from tests.support.organizations import AccountsApi, Organization

_OFFER = "query ($token: String!) { invitationOffer(token: $token) { organizationName organizationHandle role } }"
_LOG = "query ($id: ID!) { workspace(id: $id) { auditLog(first: 1) { nodes { detail } } } }"
_INVITATIONS = "query ($id: ID!) { workspace(id: $id) { invitations { id emailAddress role expiresAt } } }"


def _given(organization: Organization, address: str, role: str = "MEMBER") -> dict[str, str]:
    return {"workspaceId": organization.id, "emailAddress": address, "role": role}


@pytest_asyncio.fixture
async def organization(accounts: AccountsApi) -> AsyncGenerator[Organization]:
    """An organization with nobody but its owner."""
    yield await accounts.organization()


async def _open(accounts: AccountsApi, organization: Organization) -> list[dict[str, Any]]:
    data = await accounts.ask(organization.owner, _INVITATIONS, id=organization.id)
    return data["workspace"]["invitations"]


async def test_an_invited_address_gets_a_link_and_stands_in_the_list(
    accounts: AccountsApi, organization: Organization
) -> None:
    address = new_address()
    payload = await accounts.do(
        organization.owner, "inviteMember", **_given(organization, f" {address.upper()} ", "ADMIN")
    )
    [mail] = await queued_mails(accounts.database, f"{address.partition('@')[0].upper()}@example.com")
    assert mail.links[0].startswith("http://127.0.0.1:8000/accept-invitation?token=")
    [shown] = payload["workspace"]["invitations"]
    assert (shown["emailAddress"].lower(), shown["role"]) == (address, "ADMIN")
    [row] = await accounts.invitations(organization)
    assert row.expires_at - row.created_at == timedelta(days=7)
    assert (row.address_key, row.invited_by) == (address, organization.owner.user.id)


async def test_the_role_is_that_of_a_member_unless_said_otherwise(
    accounts: AccountsApi, organization: Organization
) -> None:
    for more in ({}, {"role": None}):
        address = new_address()
        given = {"workspaceId": organization.id, "emailAddress": address, **more}
        payload = await accounts.do(organization.owner, "inviteMember", **given)
        [shown] = [each for each in payload["workspace"]["invitations"] if each["emailAddress"] == address]
        assert shown["role"] == "MEMBER"


async def test_the_mail_repeats_nothing_that_a_stranger_typed(accounts: AccountsApi) -> None:
    handle = f"win-money-{uuid4().hex[:8]}"
    organization = await accounts.organization(name="Your account is locked, call 0900", handle=handle)
    address = new_address()
    await accounts.invite(organization, address)
    [mail] = await queued_mails(accounts.database, address)
    text = f"{mail.subject} {mail.text} {mail.html}"
    for typed in ("locked", "0900", handle, organization.owner.user.handle):
        assert typed not in text


async def test_only_the_invited_person_sees_which_organization_it_is(
    accounts: AccountsApi, organization: Organization
) -> None:
    person, token = await accounts.invited(organization, "ADMIN")
    handle = (await accounts.row(organization.row_id)).handle
    offered = (await accounts.ask(person, _OFFER, token=token))["invitationOffer"]
    assert offered == {"organizationName": "Acme", "organizationHandle": handle, "role": "ADMIN"}
    operator = await accounts.key(*ApiScope)
    for who in (await accounts.person(), organization.owner, operator, None):
        assert (await accounts.ask(who, _OFFER, token=token))["invitationOffer"] is None
    for text in ("", "made up", "\N{SNOWMAN}", token[:-1]):
        assert (await accounts.ask(person, _OFFER, token=text))["invitationOffer"] is None


@pytest.mark.parametrize(
    ("role", "invites"),
    [("OWNER", {"OWNER", "ADMIN", "MEMBER"}), ("ADMIN", {"ADMIN", "MEMBER"}), ("MEMBER", set[str]())],
)
async def test_nobody_invites_above_themselves_and_members_invite_nobody(
    accounts: AccountsApi, organization: Organization, role: str, invites: set[str]
) -> None:
    inviter = await accounts.seat(organization, await accounts.person(), role)
    for given_role in ("OWNER", "ADMIN", "MEMBER"):
        address, before = new_address(), await accounts.state(organization)
        given = _given(organization, address, given_role)
        if given_role in invites:
            await accounts.do(inviter, "inviteMember", **given)
            assert len(await queued_mails(accounts.database, address)) == 1
        else:
            assert await accounts.forbidden(inviter, "inviteMember", **given) == "FORBIDDEN"
            assert await accounts.state(organization) == before
            assert await queued_mails(accounts.database, address) == []


async def test_neither_strangers_nor_keys_nor_nobody_invite_or_revoke(
    accounts: AccountsApi, organization: Organization
) -> None:
    await accounts.invite(organization, new_address())
    [row] = await accounts.invitations(organization)
    invitation = str(GlobalId("Invitation", row.id, organization.row_id))
    before = await accounts.state(organization)
    operator = await accounts.key(*ApiScope)
    for who, code in ((await accounts.person(), "NOT_FOUND"), (operator, "FORBIDDEN"), (None, "UNAUTHENTICATED")):
        assert await accounts.forbidden(who, "inviteMember", **_given(organization, new_address())) == code
        assert await accounts.forbidden(who, "revokeInvitation", id=invitation) == code
    assert await accounts.state(organization) == before


async def test_nobody_is_invited_into_a_personal_workspace(accounts: AccountsApi) -> None:
    person, address = await accounts.person(), new_address()
    personal = Organization(str(GlobalId("Workspace", person.user.personal_workspace_id)), person)
    [error] = (await accounts.attempt(person, "inviteMember", **_given(personal, address)))["userErrors"]
    assert (error["code"], error["path"]) == ("INVALID_INPUT", ["input", "workspaceId"])
    assert await queued_mails(accounts.database, address) == []
    assert await accounts.invitations(personal) == []


@pytest.mark.parametrize(
    "address", ["", "ada", "ada@example", "ada@exämple.com", "a@b.com, c@d.com", "ada@example.com\0"]
)
async def test_what_is_no_address_is_not_invited(
    accounts: AccountsApi, organization: Organization, address: str
) -> None:
    before = await accounts.state(organization)
    if "\0" in address:
        assert await accounts.forbidden(organization.owner, "inviteMember", **_given(organization, address))
    else:
        [error] = (await accounts.attempt(organization.owner, "inviteMember", **_given(organization, address)))[
            "userErrors"
        ]
        assert (error["code"], error["path"]) == ("INVALID_INPUT", ["input", "emailAddress"])
    assert await accounts.state(organization) == before


async def test_inviting_again_replaces_the_former_invitation_and_its_link(
    accounts: AccountsApi, organization: Organization
) -> None:
    address = new_address()
    person = await accounts.person(address)
    former = await accounts.invite(organization, address)
    latter = await accounts.invite(organization, address, "ADMIN")
    [shown] = await _open(accounts, organization)
    assert shown["role"] == "ADMIN"
    payload = await accounts.accept(person, former)
    assert [error["code"] for error in payload["userErrors"]] == ["TOKEN_EXPIRED"]
    assert (await accounts.accept(person, latter))["workspace"]["viewerRole"] == "ADMIN"


async def test_an_admin_does_not_replace_an_owners_invitation(
    accounts: AccountsApi, organization: Organization
) -> None:
    admin, address = await accounts.seat(organization, await accounts.person(), "ADMIN"), new_address()
    await accounts.invite(organization, address, "OWNER")
    before = await accounts.state(organization)
    [row] = await accounts.invitations(organization)
    assert await accounts.forbidden(admin, "inviteMember", **_given(organization, address)) == "FORBIDDEN"
    invitation = str(GlobalId("Invitation", row.id, organization.row_id))
    assert await accounts.forbidden(admin, "revokeInvitation", id=invitation) == "FORBIDDEN"
    assert await accounts.state(organization) == before


async def test_many_invitations_of_one_address_at_once_leave_one_link(
    accounts: AccountsApi, organization: Organization
) -> None:
    address = new_address()
    given = _given(organization, address)
    await asyncio.gather(*(accounts.do(organization.owner, "inviteMember", **given) for _ in range(5)))
    assert len(await accounts.invitations(organization)) == 1
    assert len(await queued_mails(accounts.database, address)) == 5


async def test_no_answer_and_no_mail_tells_who_has_an_account_or_is_a_member(
    accounts: AccountsApi, organization: Organization
) -> None:
    unknown, known, members = new_address(), new_address(), new_address()
    await accounts.person(known)
    await accounts.seat(organization, await accounts.person(members))
    answers: list[dict[str, Any]] = []
    mails: list[tuple[str, str]] = []
    for address in (unknown, known, members):
        answer = await accounts.do(organization.owner, "inviteMember", **_given(organization, address))
        [shown] = [each for each in answer["workspace"]["invitations"] if each["emailAddress"] == address]
        answers.append({**answer, "workspace": shown.keys()})
        [mail] = await queued_mails(accounts.database, address)
        link = mail.links[0]
        mails.append((mail.subject, mail.text.replace(link, "LINK") + mail.html.replace(link, "LINK")))
    assert answers[0] == answers[1] == answers[2]
    assert mails[0] == mails[1] == mails[2]


async def test_a_revoked_invitation_leads_nowhere(accounts: AccountsApi, organization: Organization) -> None:
    person, token = await accounts.invited(organization)
    [shown] = await _open(accounts, organization)
    payload = await accounts.do(organization.owner, "revokeInvitation", id=shown["id"])
    assert payload["workspace"]["invitations"] == []
    refused = await accounts.accept(person, token)
    assert [error["code"] for error in refused["userErrors"]] == ["TOKEN_EXPIRED"]
    before = await accounts.state(organization)
    assert await accounts.forbidden(organization.owner, "revokeInvitation", id=shown["id"]) == "NOT_FOUND"
    assert await accounts.state(organization) == before


async def test_an_accepted_invitation_can_not_be_revoked(accounts: AccountsApi, organization: Organization) -> None:
    await accounts.member(organization)
    [row] = await accounts.invitations(organization)
    invitation = str(GlobalId("Invitation", row.id, organization.row_id))
    assert await accounts.forbidden(organization.owner, "revokeInvitation", id=invitation) == "NOT_FOUND"
    assert len(await accounts.roles(organization)) == 2


async def test_an_invitation_is_revoked_by_the_id_of_its_own_workspace_only(
    accounts: AccountsApi, organization: Organization
) -> None:
    await accounts.invite(organization, new_address())
    [row] = await accounts.invitations(organization)
    other = await accounts.organization()
    relabelled = str(GlobalId("Invitation", row.id, other.row_id))
    assert await accounts.forbidden(other.owner, "revokeInvitation", id=relabelled) == "NOT_FOUND"
    assert len(await accounts.invitations(organization)) == 1


async def test_addresses_are_shown_to_those_who_manage_members_only(
    accounts: AccountsApi, organization: Organization
) -> None:
    await accounts.invite(organization, new_address())
    [row] = await accounts.invitations(organization)
    invitation = str(GlobalId("Invitation", row.id, organization.row_id))
    node = "query ($id: ID!) { node(id: $id) { ... on Invitation { emailAddress } } }"
    admin = await accounts.seat(organization, await accounts.person(), "ADMIN")
    member = await accounts.seat(organization, await accounts.person(), "MEMBER")
    operator = await accounts.key(ApiScope.OPERATOR)
    for who, count in ((organization.owner, 1), (admin, 1), (member, 0), (operator, 0)):
        listed = (await accounts.ask(who, _INVITATIONS, id=organization.id))["workspace"]["invitations"]
        assert len(listed) == count
        read = (await accounts.ask(who, node, id=invitation))["node"]
        assert read == ({"emailAddress": row.address} if count else None)
    assert (await accounts.ask(await accounts.person(), node, id=invitation))["node"] is None


async def test_a_lapsed_invitation_is_neither_shown_nor_kept_nor_in_the_way_of_another(
    accounts: AccountsApi, organization: Organization
) -> None:
    address = new_address()
    await accounts.invite(organization, address)
    later = at_later(accounts.database, timedelta(days=7))

    async def listed(database: Database) -> int:
        reads = Reads(database)
        access = await workspace_seen_by(reads, organization.owner.caller, organization.row_id)
        return len(await invitations.open_invitations(reads, access))

    assert await listed(accounts.database) == 1
    assert await listed(later) == 0
    new = NewInvitation(organization.row_id, address)
    sent = {"remote_address": new_network(), "public_url": "https://example.com"}
    await invitations.invite(later, KEYS, LIMITS_OFF, organization.owner.caller, new, **sent)
    assert len(await accounts.invitations(organization)) == 1
    await transact(at_later(accounts.database, timedelta(days=15)), purge_expired)
    assert await accounts.invitations(organization) == []


async def test_an_address_is_mailed_ten_invitations_a_day_whoever_sends_them(accounts: AccountsApi) -> None:
    address = new_address()
    for number in range(PER_ADDRESS_A_DAY.most + 1):
        organization = await accounts.organization()
        new = NewInvitation(organization.row_id, address.upper() if number % 2 else address)
        sent = {"remote_address": new_network(), "public_url": "https://example.com"}
        sending = invitations.invite(accounts.database, KEYS, LIMITS_ON, organization.owner.caller, new, **sent)
        if number < PER_ADDRESS_A_DAY.most:
            await sending
        else:
            with pytest.raises(RateLimited):
                await sending
            assert await accounts.invitations(organization) == []


@pytest.mark.parametrize("whose", ["PER_WORKSPACE", "PER_INVITER", "PER_NETWORK"])
async def test_invitations_are_limited_per_workspace_inviter_and_network(
    accounts: AccountsApi, monkeypatch: pytest.MonkeyPatch, whose: str
) -> None:
    limit = getattr(invitations, whose)
    monkeypatch.setattr(invitations, whose, type(limit)(f"{limit.name}:{uuid4()}", most=2, per_seconds=3_600))
    owner, network = await accounts.person(), new_network()
    same = {await accounts.organization(owner): owner}
    for number in range(3):
        if whose == "PER_WORKSPACE":
            organization = next(iter(same))
            inviter = await accounts.seat(organization, await accounts.person(), "ADMIN")
        else:
            organization = await accounts.organization(owner if whose == "PER_INVITER" else None)
            inviter = organization.owner
        new = NewInvitation(organization.row_id, new_address())
        where = network if whose == "PER_NETWORK" else new_network()
        sending = invitations.invite(
            accounts.database,
            KEYS,
            LIMITS_ON,
            inviter.caller,
            new,
            remote_address=where,
            public_url="https://example.com",
        )
        if number < 2:
            await sending
        else:
            with pytest.raises(RateLimited):
                await sending


async def test_an_organization_has_so_many_open_invitations_at_most(
    accounts: AccountsApi, organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invitations, "MOST_OPEN", 2)
    address = new_address()
    await accounts.invite(organization, address)
    await accounts.invite(organization, new_address())
    new = NewInvitation(organization.row_id, new_address())
    sent = {"remote_address": new_network(), "public_url": "https://example.com"}
    with pytest.raises(InvalidInput, match="Revoke"):
        await invitations.invite(accounts.database, KEYS, LIMITS_OFF, organization.owner.caller, new, **sent)
    assert await queued_mails(accounts.database, new.email_address) == []
    await accounts.invite(organization, address, "ADMIN")


async def test_a_mail_is_sent_only_with_the_invitation_it_tells_of(
    accounts: AccountsApi, organization: Organization
) -> None:
    address = new_address()
    before = await accounts.state(organization)

    def fails(point: str) -> None:
        if point == "invite-member:before-commit":
            raise ConnectionError

    broken = Database(accounts.database.engine, accounts.database.clock, fault=fails)
    new = NewInvitation(organization.row_id, address)
    sent = {"remote_address": new_network(), "public_url": "https://example.com"}
    with pytest.raises(ConnectionError):
        await invitations.invite(broken, KEYS, LIMITS_OFF, organization.owner.caller, new, **sent)
    assert await queued_mails(accounts.database, address) == []
    assert await accounts.state(organization) == before


async def test_invitations_are_in_the_log_without_addresses(accounts: AccountsApi, organization: Organization) -> None:
    address = new_address()
    await accounts.invite(organization, address, "ADMIN")
    await accounts.invite(organization, address)
    [shown] = await _open(accounts, organization)
    await accounts.do(organization.owner, "revokeInvitation", id=shown["id"])
    log = (await accounts.log(organization.row_id))[1:]
    first, second = (event.detail["after"]["invitation"] for event in log[:2] if event.detail is not None)
    assert [(event.action, event.detail) for event in log] == [
        ("member.invited", {"before": None, "after": {"role": "ADMIN", "invitation": first}}),
        (
            "member.invited",
            {"before": {"role": "ADMIN", "invitation": first}, "after": {"role": "MEMBER", "invitation": second}},
        ),
        ("invitation.revoked", {"before": {"role": "MEMBER", "invitation": second}, "after": None}),
    ]
    audit_log = await accounts.ask(organization.owner, _LOG, id=organization.id)
    assert json.loads(audit_log["workspace"]["auditLog"]["nodes"][0]["detail"])["before"]["invitation"] == shown["id"]
    assert {event.actor_user_id for event in log} == {organization.owner.user.id}
    assert not [event for event in log if address.partition("@")[0] in f"{event.summary} {event.detail}"]
