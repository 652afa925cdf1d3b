"""Invitations that end before they lapse: with the right to send them, and with those whom they would bring back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.accounts import new_address
from tests.support.organizations import Organization, Town

_INVITATIONS = "query ($id: ID!) { workspace(id: $id) { invitations { emailAddress } } }"


def _codes(payload: dict[str, Any]) -> list[str]:
    return [error["code"] for error in payload["userErrors"]]


async def _waiting(town: Town, organization: Organization) -> set[str]:
    """The addresses of the invitations that are shown to wait."""
    shown = (await town.ask(organization.owner, _INVITATIONS, id=organization.id))["workspace"]["invitations"]
    return {invitation["emailAddress"] for invitation in shown}


@pytest.mark.parametrize(
    ("invited_as", "inviter_becomes"), [("ADMIN", "MEMBER"), ("MEMBER", "MEMBER"), ("OWNER", "ADMIN"), ("MEMBER", None)]
)
async def test_a_link_dies_with_its_senders_right_to_give_the_role(
    town: Town, invited_as: str, inviter_becomes: str | None
) -> None:
    organization = await town.organization()
    inviter = await town.member(organization, "OWNER")
    address = new_address()
    person, token = await town.person(address), await town.invite(organization, address, invited_as, by=inviter)
    membership = organization.membership(inviter)
    if inviter_becomes is None:
        await town.do(organization.owner, "removeMember", id=membership)
    else:
        await town.do(organization.owner, "changeMemberRole", membershipId=membership, role=inviter_becomes)
    before = await town.state(organization)
    assert _codes(await town.accept(person, token)) == ["TOKEN_EXPIRED"]
    assert await town.state(organization) == before


async def test_what_leads_nowhere_any_more_waits_for_nobody(town: Town) -> None:
    organization = await town.organization()
    inviter = await town.member(organization, "OWNER")
    addresses = {role: new_address() for role in ("OWNER", "ADMIN", "MEMBER")}
    for role, address in addresses.items():
        await town.invite(organization, address, role, by=inviter)
    others = new_address()
    await town.invite(organization, others)
    given = {"membershipId": organization.membership(inviter)}
    await town.do(organization.owner, "changeMemberRole", **given, role="ADMIN")
    assert await _waiting(town, organization) == {addresses["ADMIN"], addresses["MEMBER"], others}
    await town.do(organization.owner, "removeMember", id=organization.membership(inviter))
    assert await _waiting(town, organization) == {others}


@pytest.mark.parametrize("goes", ["is removed", "leaves"])
async def test_who_goes_comes_back_by_no_invitation_from_before(town: Town, goes: str) -> None:
    organization = await town.organization()
    address = new_address()
    person = await town.seat(organization, await town.person(address), "ADMIN")
    token = await town.invite(organization, address, "OWNER")
    listed = await _waiting(town, organization)
    by = organization.owner if goes == "is removed" else person
    await town.do(by, "removeMember", id=organization.membership(person))

    assert _codes(await town.accept(person, token)) == ["TOKEN_EXPIRED"]
    assert person.user.id not in await town.roles(organization)
    # the list doesn't tell whose address it was
    assert await _waiting(town, organization) == listed
    again = await town.invite(organization, address)
    assert (await town.accept(person, again))["workspace"]["viewerRole"] == "MEMBER"


async def test_a_link_outlives_a_change_of_its_sender_who_may_still_give_the_role(town: Town) -> None:
    organization = await town.organization()
    inviter = await town.member(organization, "OWNER")
    address = new_address()
    person, token = await town.person(address), await town.invite(organization, address, "ADMIN", by=inviter)
    given = {"membershipId": organization.membership(inviter), "role": "ADMIN"}
    await town.do(organization.owner, "changeMemberRole", **given)
    assert (await town.accept(person, token))["workspace"]["viewerRole"] == "ADMIN"
