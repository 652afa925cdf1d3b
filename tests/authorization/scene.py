"""One organization with everything in it, and everyone who may ask about it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, cast
from uuid import uuid4

from sqlalchemy import update

from app.accounts.access.permissions import ApiScope, WorkspaceRole
from app.accounts.people.sessions import OpenedSession, open_session
from app.db.engine import Session
from app.db.tables.people import UserRow
from app.db.tables.workspaces import HandleRow, WorkspaceRow
from app.db.unit_of_work import transact
from app.ids import uuid7
from tests.authorization.callers import SERVICES, Who
from tests.support.accounts import new_address
from tests.support.digest import settled
from tests.support.members import let_in
from tests.support.running_backend import Person, RunningBackend
from tests.support.subscribing import subscribe

T = TypeVar("T")

_EVERYTHING = """query ($id: ID!) {
  viewer { id emails { id } sessions { id } }
  catalog { creditPacks { id } plans { id } }
  workspace(id: $id) {
    id apiKeys { id } auditLog { nodes { id } } paymentMethods { id } invoices { nodes { id } } purchases { nodes { id } }
    subscription { id } usage { id bars { id } } members { nodes { id user { id } } } invitations { id }
    creditBalance { id grants { id } transactions { nodes { id } } }
  }
}"""
_HOLD = "mutation ($input: HoldCreditsInput!) { holdCredits(input: $input) { hold { id } userErrors { code } } }"
_INVITE = "mutation ($input: InviteMemberInput!) { inviteMember(input: $input) { userErrors { code } } }"
_SEATS = 10
_A_WEEK_SECONDS = 7 * 24 * 3600


@dataclass(slots=True)
class Scene:
    """The organization: `owner` is its owner as seen from it, `people` are those behind the callers who are persons.

    `ids` holds an id of each type of object that the owner can read, by the type's name. More can be kept with `once`.
    """

    backend: RunningBackend
    owner: Person
    people: Mapping[Who, Person]
    tokens: Mapping[Who, str | None]
    handle: str
    external_id: str
    ids: dict[str, str] = field(default_factory=dict[str, str])
    kept: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def workspace(self) -> str:
        """The organization's id in the API."""
        return self.owner.workspace

    async def once(self, name: str, make: Callable[[], Awaitable[T]]) -> T:
        """What `make` makes when it is first asked for under this name."""
        if name not in self.kept:
            self.kept[name] = await make()
        return cast(T, self.kept[name])

    async def fresh_session(self, who: Who) -> OpenedSession:
        """A new session of a person's."""
        user_id = self.people[who].user_id
        return await transact(self.backend.database, lambda session: open_session(session, user_id, "a test"))

    async def token(self, who: Who, *, is_fresh: bool = False) -> str | None:
        """What the caller sends as a bearer token; a fresh one of a person's may be ended by the call."""
        if is_fresh and who in self.people:
            return (await self.fresh_session(who)).token
        return self.tokens[who]

    async def hold(self) -> str:
        """A new open hold of some of the organization's credits."""
        given = {
            "workspaceId": self.workspace,
            "amount": "1",
            "description": "A job",
            "expiresInSeconds": _A_WEEK_SECONDS,
        }
        given["idempotencyKey"] = uuid4().hex
        held = await self.backend.api.query(_HOLD, {"input": given}, token=self.tokens[Who.SERVICE_CREDITS])
        assert held["holdCredits"]["userErrors"] == []
        return held["holdCredits"]["hold"]["id"]


async def open_scene(backend: RunningBackend) -> Scene:
    """Make the organization, its people, what it has, and everyone's credentials."""
    people = {who: await backend.sign_up() for who in (Who.OWNER, Who.ADMIN, Who.MEMBER, Who.STRANGER)}
    organization = await _organization(backend, people[Who.OWNER])
    owner = replace(people[Who.OWNER], workspace_id=organization.id)
    for who, role in ((Who.ADMIN, WorkspaceRole.ADMIN), (Who.MEMBER, WorkspaceRole.MEMBER)):
        await let_in(backend.database, organization.id, people[who].user_id, role)
    await subscribe(backend, owner, "team", seats=_SEATS)
    tokens: dict[Who, str | None] = {Who.NOBODY: None, **{who: person.token for who, person in people.items()}}
    for who, scope in ((Who.READ_KEY, ApiScope.BILLING_READ), (Who.WRITE_KEY, ApiScope.BILLING_WRITE)):
        tokens[who] = (await backend.api_key(owner, scope))["secret"]
    tokens[Who.STRANGERS_KEY] = (await backend.api_key(people[Who.STRANGER], ApiScope.BILLING_WRITE))["secret"]
    for who, scope in SERVICES.items():
        tokens[who] = await backend.service_key(scope)
    scene = Scene(backend, owner, people, tokens, organization.handle, organization.external_id or "")
    await _furnish(scene)
    await settled(backend.database)
    return scene


async def _organization(backend: RunningBackend, owner: Person) -> WorkspaceRow:
    name = f"org-{uuid4().hex[:12]}"

    async def make(session: Session) -> WorkspaceRow:
        workspace = WorkspaceRow(
            id=uuid7(),
            kind="ORGANIZATION",
            name="An organization",
            handle=name,
            external_id=f"crm/{name}",
            created_by=owner.user_id,
            created_at=session.now,
            version=1,
        )
        session.add(workspace)
        await session.flush()
        session.add(HandleRow(key=name, workspace_id=workspace.id))
        return workspace

    made = await transact(backend.database, make)
    await let_in(backend.database, made.id, owner.user_id, WorkspaceRole.OWNER)
    return made


async def _furnish(scene: Scene) -> None:
    """One of everything: a phone, cards, a purchase with its invoice, credits, a hold."""
    backend, owner = scene.backend, scene.owner
    about = {
        "first_name": "Ada",
        "last_name": "Lovelace",
        "company": "Engines",
        "job_title": "Analyst",
        "bio": "Wrote it.",
    }
    statement = update(UserRow).where(UserRow.id == owner.user_id).values(about)
    await transact(backend.database, lambda session: session.execute(statement))
    await backend.verify_phone(owner)
    await backend.add_card(owner)
    await backend.recharge(owner)
    await backend.grant(owner, "1000")
    scene.ids["CreditHold"] = await scene.hold()
    invited = {"input": {"workspaceId": owner.workspace, "emailAddress": new_address()}}
    await backend.api.query(_INVITE, invited, token=owner.token)
    read = await backend.api.query(_EVERYTHING, {"id": owner.workspace}, token=owner.token)
    scene.ids |= {each.partition("_")[0]: each for each in sorted(_ids(read))}


def _ids(value: object) -> set[str]:
    """Every member called `id` within a JSON value."""
    match value:
        case dict():
            members = cast("dict[str, object]", value)
            own = {str(each) for name, each in members.items() if name == "id"}
            return own.union(*(_ids(each) for each in members.values()))
        case list():
            return set[str]().union(*(_ids(each) for each in cast("list[object]", value)))
        case _:
            return set()
