"""Organizations: who names them, invites, gives roles, and sees who belongs to them."""

from __future__ import annotations

from uuid import uuid4

from app.accounts.access.permissions import WorkspaceRole
from app.ids import GlobalId
from tests.authorization.callers import EVERYONE, KEYS, MANAGERS, MEMBERS, OWNERS, PERSONS, SEE_WORKSPACE, Who
from tests.authorization.rows.makers import fields_of_workspace, nodes, the_workspace
from tests.authorization.scene import Scene
from tests.authorization.table import Outcome, Row, Variables, all_of
from tests.support.accounts import new_address
from tests.support.members import let_in

_NO_KEYS = all_of(KEYS, Outcome.FORBIDDEN)
_SEE_MEMBERS = MEMBERS | {Who.SERVICE_OPERATOR}

_INVITE = """mutation ($input: InviteMemberInput!) {
  inviteMember(input: $input) { workspace { id invitations { id } } userErrors { code } }
}"""


def _mutation(name: str, type_name: str) -> str:
    return f"mutation ($input: {type_name}!) {{ {name}(input: $input) {{ workspace {{ id }} userErrors {{ code }} }} }}"


async def _a_name(_scene: Scene) -> Variables:
    return {"input": {"name": f"Acme {uuid4().hex[:8]}"}}


async def _another_name(scene: Scene) -> Variables:
    return {"input": {"workspaceId": scene.workspace, "name": f"Acme {uuid4().hex[:8]}"}}


async def _someone_to_invite(scene: Scene) -> Variables:
    return {"input": {"workspaceId": scene.workspace, "emailAddress": new_address()}}


async def _an_invitation(scene: Scene) -> Variables:
    given = await _someone_to_invite(scene)
    invited = await scene.backend.api.query(_INVITE, given, token=scene.tokens[Who.OWNER])
    return {"input": {"id": invited["inviteMember"]["workspace"]["invitations"][0]["id"]}}


async def _a_link_of_nobodys(_scene: Scene) -> Variables:
    return {"input": {"token": "a link of nobody's", "idempotencyKey": uuid4().hex}}


async def _an_offer_of_nobodys(_scene: Scene) -> Variables:
    return {"token": "a link of nobody's"}


async def _a_newcomer(scene: Scene) -> str:
    person = await scene.backend.sign_up()
    await let_in(scene.backend.database, scene.owner.workspace_id, person.user_id, WorkspaceRole.MEMBER)
    return str(GlobalId("Membership", person.user_id, scene.owner.workspace_id))


async def _whose_role(scene: Scene) -> Variables:
    return {"input": {"membershipId": await _a_newcomer(scene), "role": "ADMIN"}}


async def _whom_to_remove(scene: Scene) -> Variables:
    return {"input": {"id": await _a_newcomer(scene)}}


ROWS = [
    Row(
        "Query.invitationOffer",
        "query ($token: String!) { invitationOffer(token: $token) { role } }",
        frozenset(),
        given=_an_offer_of_nobodys,
        denied=all_of(EVERYONE, Outcome.NULL),
    ),
    Row(
        "Mutation.createOrganization",
        _mutation("createOrganization", "CreateOrganizationInput"),
        PERSONS,
        given=_a_name,
        denied=_NO_KEYS,
    ),
    Row("Mutation.updateWorkspace", _mutation("updateWorkspace", "UpdateWorkspaceInput"), OWNERS, given=_another_name),
    Row("Mutation.inviteMember", _INVITE, MANAGERS, given=_someone_to_invite, denied=_NO_KEYS),
    Row(
        "Mutation.revokeInvitation",
        _mutation("revokeInvitation", "IdInput"),
        MANAGERS,
        given=_an_invitation,
        denied=_NO_KEYS,
    ),
    Row(
        "Mutation.acceptInvitation",
        _mutation("acceptInvitation", "AcceptInvitationInput"),
        PERSONS,
        given=_a_link_of_nobodys,
        denied=_NO_KEYS,
        may_answer=frozenset({"TOKEN_EXPIRED"}),
    ),
    Row(
        "Mutation.changeMemberRole",
        _mutation("changeMemberRole", "ChangeMemberRoleInput"),
        MANAGERS,
        given=_whose_role,
        denied=_NO_KEYS,
    ),
    Row(
        "Mutation.removeMember",
        _mutation("removeMember", "IdInput"),
        MANAGERS,
        given=_whom_to_remove,
        denied=_NO_KEYS,
    ),
    # it can't be null, so that who may not see it is told
    Row(
        "Workspace.members",
        "query ($id: ID!) { workspace(id: $id) { members { totalCount } } }",
        _SEE_MEMBERS,
        given=the_workspace,
        denied=all_of(frozenset({Who.STRANGER, Who.STRANGERS_KEY}), Outcome.NULL),
        path=("workspace", "members"),
        label="how many",
    ),
    Row(
        "Workspace.members",
        "query ($id: ID!) { workspace(id: $id) { members { nodes { holdsSeat } } } }",
        _SEE_MEMBERS,
        given=the_workspace,
        denied=all_of(frozenset({Who.STRANGER, Who.STRANGERS_KEY}), Outcome.NULL),
        path=("workspace", "members"),
        label="who holds a seat",
    ),
    *fields_of_workspace(
        {
            # empty for those who manage nobody
            "invitations": ("{ id }", SEE_WORKSPACE),
            "plan": ("{ code }", SEE_WORKSPACE),
            "subscription": ("{ id seats { total used available } }", SEE_WORKSPACE),
        }
    ),
    *nodes({"Membership": _SEE_MEMBERS, "Subscription": SEE_WORKSPACE}),
    *nodes({"Invitation": MANAGERS}),
]
