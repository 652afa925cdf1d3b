"""Organizations that subscribe, and people who are invited to them: by the API, and by the mailed links."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

from app.ids import parse_global_id
from tests.support.accounts import new_address
from tests.support.client import eventually
from tests.support.development_inbox import mails_to
from tests.support.operations import ERRORS
from tests.support.running_backend import Person, RunningBackend
from tests.support.subscribing import charge_to, subscribe

_CREATE = f"""mutation ($input: CreateOrganizationInput!) {{
  createOrganization(input: $input) {{ workspace {{ id }} {ERRORS} }} }}"""
_INVITE = f"mutation ($input: InviteMemberInput!) {{ inviteMember(input: $input) {{ workspace {{ id }} {ERRORS} }} }}"
_ACCEPT = f"""mutation ($input: AcceptInvitationInput!) {{
  acceptInvitation(input: $input) {{ workspace {{ id viewerRole }} {ERRORS} }} }}"""
_MEMBERS = "query ($id: ID!) { workspace(id: $id) { members { nodes { user { id } holdsSeat } } } }"


async def organization_of(backend: RunningBackend, owner: Person) -> Person:
    """A new organization of somebody's: who they are there."""
    made = await backend.api.query(_CREATE, {"input": {"name": "Acme"}}, token=owner.token)
    organization_id = parse_global_id(made["createOrganization"]["workspace"]["id"]).id
    assert isinstance(organization_id, UUID)
    return replace(owner, workspace_id=organization_id)


async def new_team(backend: RunningBackend, plan: str, *, seats: int, card: str | None = None) -> Person:
    """An organization that subscribes with a good card, and is charged to another one from then on if `card` is given.

    What is returned is its owner, with the organization for their workspace.
    """
    owner = await organization_of(backend, await backend.sign_up())
    await subscribe(backend, owner, plan, seats=seats)
    if card is not None:
        await charge_to(backend, owner, card)
    return owner


async def invited(backend: RunningBackend, owner: Person) -> tuple[Person, str]:
    """Someone new with an account, and the token that was mailed to them."""
    person = await backend.sign_up(address=new_address())
    given = {"workspaceId": owner.workspace, "emailAddress": person.address, "role": "MEMBER"}
    await backend.api.query(_INVITE, {"input": given}, token=owner.token)

    async def mailed() -> str | None:
        for mail in await mails_to(backend, person.address):
            for link in mail["links"]:
                if "accept-invitation" in link:
                    return link.partition("token=")[2]
        return None

    token = await eventually(mailed)
    assert token is not None
    return person, token


async def accept(backend: RunningBackend, person: Person, token: str, *, key: str | None = None) -> dict[str, Any]:
    """The payload of `acceptInvitation`."""
    given = {"token": token, "idempotencyKey": key or uuid4().hex}
    return (await backend.api.query(_ACCEPT, {"input": given}, token=person.token))["acceptInvitation"]


async def member_ids(backend: RunningBackend, owner: Person) -> list[str]:
    """The API's ids of those who belong to the organization."""
    found = await backend.api.query(_MEMBERS, {"id": owner.workspace}, token=owner.token)
    return [each["user"]["id"] for each in found["workspace"]["members"]["nodes"]]


async def mails_about(backend: RunningBackend, owner: Person, subject: str) -> list[dict[str, Any]]:
    """The mails to somebody whose subject holds this."""
    return [mail for mail in await mails_to(backend, owner.address) if subject in mail["subject"]]
