"""Invitations that end before they lapse: with the right to send them, and with those whom they would bring back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.accounts import new_address
from tests.support.organizations import AccountsApi, Organization

_INVITATIONS = "query ($id: ID!) { workspace(id: $id) { invitations { emailAddress } } }"


def _codes(payload: dict[str, Any]) -> list[str]:
    return [error["code"] for error in payload["userErrors"]]


async def _waiting(accounts: AccountsApi, organization: Organization) -> set[str]:
    """The addresses of the invitations that are shown to wait."""
    shown = (await accounts.ask(organization.owner, _INVITATIONS, id=organization.id))["workspace"]["invitations"]
    return {invitation["emailAddress"] for invitation in shown}


@pytest.mark.parametrize(
    ("invited_as", "inviter_becomes"), [("ADMIN", "MEMBER"), ("MEMBER", "MEMBER"), ("OWNER", "ADMIN"), ("MEMBER", None)]
)
async def test_a_link_dies_with_its_senders_right_to_give_the_role(
    accounts: AccountsApi, invited_as: str, inviter_becomes: str | None
) -> None:
    organization = await accounts.organization()
    inviter = await accounts.member(organization, "OWNER")
    address = new_address()
    person, token = await accounts.person(address), await accounts.invite(organization, address, invited_as, by=inviter)
    membership = organization.membership(inviter)
    if inviter_becomes is None:
        await accounts.do(organization.owner, "removeMember", id=membership)
    else:
        await accounts.do(organization.owner, "changeMemberRole", membershipId=membership, role=inviter_becomes)
    before = await accounts.state(organization)
    assert _codes(await accounts.accept(person, token)) == ["TOKEN_EXPIRED"]
    assert await accounts.state(organization) == before


async def test_what_leads_nowhere_any_more_waits_for_nobody(accounts: AccountsApi) -> None:
    organization = await accounts.organization()
    inviter = await accounts.member(organization, "OWNER")
    addresses = {role: new_address() for role in ("OWNER", "ADMIN", "MEMBER")}
    for role, address in addresses.items():
        await accounts.invite(organization, address, role, by=inviter)
    others = new_address()
    await accounts.invite(organization, others)
    given = {"membershipId": organization.membership(inviter)}
    await accounts.do(organization.owner, "changeMemberRole", **given, role="ADMIN")
    assert await _waiting(accounts, organization) == {addresses["ADMIN"], addresses["MEMBER"], others}
    await accounts.do(organization.owner, "removeMember", id=organization.membership(inviter))
    assert await _waiting(accounts, organization) == {others}


@pytest.mark.parametrize("goes", ["is removed", "leaves"])
async def test_who_goes_comes_back_by_no_invitation_from_before(accounts: AccountsApi, goes: str) -> None:
    organization = await accounts.organization()
    address = new_address()
    person = await accounts.seat(organization, await accounts.person(address), "ADMIN")
    token = await accounts.invite(organization, address, "OWNER")
    listed = await _waiting(accounts, organization)
    by = organization.owner if goes == "is removed" else person
    await accounts.do(by, "removeMember", id=organization.membership(person))

    assert _codes(await accounts.accept(person, token)) == ["TOKEN_EXPIRED"]
    assert person.user.id not in await accounts.roles(organization)
    # the list doesn't tell whose address it was
    assert await _waiting(accounts, organization) == listed
    again = await accounts.invite(organization, address)
    assert (await accounts.accept(person, again))["workspace"]["viewerRole"] == "MEMBER"


async def test_a_link_outlives_a_change_of_its_sender_who_may_still_give_the_role(accounts: AccountsApi) -> None:
    organization = await accounts.organization()
    inviter = await accounts.member(organization, "OWNER")
    address = new_address()
    person, token = await accounts.person(address), await accounts.invite(organization, address, "ADMIN", by=inviter)
    given = {"membershipId": organization.membership(inviter), "role": "ADMIN"}
    await accounts.do(organization.owner, "changeMemberRole", **given)
    assert (await accounts.accept(person, token))["workspace"]["viewerRole"] == "ADMIN"
