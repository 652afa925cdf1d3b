"""Organizations for tests, made and joined through the API as people do it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select

from app.accounts.access.api_keys import create_service_key
from app.accounts.access.permissions import ApiScope, WorkspaceRole
from app.db.engine import Database, Session
from app.db.tables.access import AuditEventRow
from app.db.tables.workspaces import InvitationRow, MembershipRow, WorkspaceRow
from app.db.unit_of_work import transact
from app.ids import GlobalId, parse_global_id
from tests.support.accounts import Person, new_address, new_person, queued_mails, token_of
from tests.support.api import Api

WORKSPACE = (
    "workspace { id name handle externalId kind viewerRole permissions invitations { id emailAddress role expiresAt } }"
)
ERRORS = "userErrors { code message path }"


def mutation(name: str, answer: str = WORKSPACE) -> str:
    """The document of a mutation, whose input is called as it is."""
    kind = {"revokeInvitation": "Id", "removeMember": "Id"}.get(name, name[0].upper() + name[1:])
    return f"mutation ($input: {kind}Input!) {{ {name}(input: $input) {{ {answer} {ERRORS} }} }}"


@dataclass(frozen=True, slots=True)
class Organization:
    """An organization: `id` in the API, `row_id` in the database."""

    id: str
    owner: Person

    @property
    def row_id(self) -> UUID:
        """The id of its row."""
        row_id = parse_global_id(self.id).id
        assert isinstance(row_id, UUID)
        return row_id

    def membership(self, person: Person) -> str:
        """The id of a person's membership."""
        return str(GlobalId("Membership", person.user.id, self.row_id))


@dataclass(slots=True)
class AccountsApi:
    """Makes people and organizations through a running API, and runs operations there as one of them."""

    api: Api

    @property
    def database(self) -> Database:
        """The API's database."""
        return self.api.database

    async def ask(self, who: Person | str | None, document: str, **variables: object) -> dict[str, Any]:
        """The `data` of an operation of a person, a key, or an anonymous caller."""
        async with self.api.program(_token(who)) as client:
            return await client.run(document, **variables)

    async def refused(self, who: Person | str | None, document: str, **variables: object) -> str:
        """The code of the only error of an operation that must not succeed."""
        async with self.api.program(_token(who)) as client:
            return (await client.refused(document, **variables))["code"]

    async def do(self, who: Person | str | None, mutation_name: str, /, **given: object) -> dict[str, Any]:
        """The payload of a mutation that must succeed."""
        payload = await self.attempt(who, mutation_name, **given)
        assert payload["userErrors"] == [], payload
        return payload

    async def attempt(self, who: Person | str | None, mutation_name: str, /, **given: object) -> dict[str, Any]:
        """The payload of a mutation."""
        return (await self.ask(who, mutation(mutation_name), input=given))[mutation_name]

    async def fails(self, who: Person | str | None, mutation_name: str, /, **given: object) -> str:
        """The code of a mutation's only user error; the payload must hold nothing else."""
        payload = await self.attempt(who, mutation_name, **given)
        assert payload["workspace"] is None
        [error] = payload["userErrors"]
        return error["code"]

    async def forbidden(self, who: Person | str | None, mutation_name: str, /, **given: object) -> str:
        """The code of the GraphQL error that a mutation must give."""
        return await self.refused(who, mutation(mutation_name), input=given)

    async def person(self, address: str | None = None) -> Person:
        """Someone new."""
        return await new_person(self.database, address=address)

    async def key(self, *scopes: ApiScope) -> str:
        """A service key."""

        async def create(session: Session) -> str:
            return (await create_service_key(session, "a test", scopes))[1]

        return await transact(self.database, create)

    async def organization(self, owner: Person | None = None, **form: object) -> Organization:
        """A new organization, of which someone new is the owner unless `owner` is given."""
        owner = owner or await self.person()
        made = await self.do(owner, "createOrganization", **{"name": "Acme", **form})
        return Organization(made["workspace"]["id"], owner)

    async def invite(
        self, organization: Organization, address: str, role: str = "MEMBER", *, by: Person | None = None
    ) -> str:
        """Invite an address; the token of the mailed link."""
        given = {"workspaceId": organization.id, "emailAddress": address, "role": role}
        await self.do(by or organization.owner, "inviteMember", **given)
        return token_of((await queued_mails(self.database, address))[-1])

    async def invited(self, organization: Organization, role: str = "MEMBER") -> tuple[Person, str]:
        """Someone new with an account, and the token that was mailed to them."""
        address = new_address()
        return await self.person(address), await self.invite(organization, address, role)

    async def accept(self, person: Person, token: str, key: str | None = None) -> dict[str, Any]:
        """The payload of accepting."""
        return await self.attempt(person, "acceptInvitation", token=token, idempotencyKey=key or uuid4().hex)

    async def member(self, organization: Organization, role: str = "MEMBER") -> Person:
        """Someone new who joined by invitation."""
        person, token = await self.invited(organization, role)
        assert (await self.accept(person, token))["userErrors"] == []
        return person

    async def seat(self, organization: Organization, person: Person, role: str = "MEMBER") -> Person:
        """Put someone into an organization without asking for a seat."""

        async def join(session: Session) -> None:
            row = MembershipRow(
                workspace_id=organization.row_id,
                user_id=person.user.id,
                role=WorkspaceRole(role),
                joined_at=session.now,
            )
            session.add(row)

        await transact(self.database, join)
        return person

    async def roles(self, organization: Organization) -> dict[UUID, str]:
        """Who belongs to an organization, and as what."""
        query = select(MembershipRow).where(MembershipRow.workspace_id == organization.row_id)
        async with self.database.read() as session:
            return {row.user_id: row.role for row in await session.scalars(query)}

    async def invitations(self, organization: Organization) -> Sequence[InvitationRow]:
        """The rows of its invitations, the oldest first."""
        query = select(InvitationRow).where(InvitationRow.workspace_id == organization.row_id)
        async with self.database.read() as session:
            return (await session.scalars(query.order_by(InvitationRow.id))).all()

    async def row(self, workspace_id: UUID) -> WorkspaceRow:
        """A workspace's row."""
        async with self.database.read() as session:
            found = await session.get(WorkspaceRow, workspace_id)
        assert found is not None
        return found

    async def log(self, workspace_id: UUID) -> Sequence[AuditEventRow]:
        """The audit log, the oldest event first."""
        query = select(AuditEventRow).where(AuditEventRow.workspace_id == workspace_id).order_by(AuditEventRow.id)
        async with self.database.read() as session:
            return (await session.scalars(query)).all()

    async def state(self, organization: Organization) -> tuple[object, ...]:
        """Everything that a denied action must leave as it was."""
        row = await self.row(organization.row_id)
        invitations = [(each.id, each.role, each.accepted_by) for each in await self.invitations(organization)]
        events = len(await self.log(organization.row_id))
        known_as = (row.name, row.handle, row.external_id, row.version)
        return known_as, await self.roles(organization), invitations, events


def _token(who: Person | str | None) -> str | None:
    return who.token if isinstance(who, Person) else who
