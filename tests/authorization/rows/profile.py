"""What people change about themselves, their passwords, and the danger zone."""

from __future__ import annotations

from uuid import uuid4

from tests.authorization.callers import EVERYONE, KEYS, MEMBERS, OWNERS, PERSONS, Who
from tests.authorization.rows.makers import nodes
from tests.authorization.scene import Scene
from tests.authorization.table import Outcome, Row, Variables, all_of
from tests.support.accounts import PASSWORD, new_address

_NO_KEYS = all_of(KEYS, Outcome.FORBIDDEN)
_THEIRS_ALONE = all_of(PERSONS, Outcome.NOT_FOUND) | _NO_KEYS
# operators read members of workspaces again by their ids, and search nobody by a handle
_SEE_PROFILE = MEMBERS | {Who.SERVICE_OPERATOR}

_ADD_EMAIL = "mutation ($input: AddEmailInput!) { addEmail(input: $input) { email { id } userErrors { code } } }"


def _mutation(name: str, type_name: str, selection: str = "") -> str:
    return f"mutation ($input: {type_name}!) {{ {name}(input: $input) {{ {selection} userErrors {{ code }} }} }}"


async def _a_bio(_scene: Scene) -> Variables:
    return {"input": {"bio": uuid4().hex}}


async def _a_handle(_scene: Scene) -> Variables:
    return {"input": {"handle": f"h{uuid4().hex[:20]}"}}


async def _private(_scene: Scene) -> Variables:
    return {"input": {"visibility": "PRIVATE"}}


async def _an_address(_scene: Scene) -> Variables:
    return {"input": {"address": new_address()}}


async def _an_address_of_the_owners(scene: Scene) -> Variables:
    async def add() -> str:
        return await _added(scene)

    return {"input": {"id": await scene.once("an address", add)}}


async def _an_address_to_remove(scene: Scene) -> Variables:
    return {"input": {"id": await _added(scene)}}


async def _added(scene: Scene) -> str:
    given = {"input": {"address": new_address()}}
    added = await scene.backend.api.query(_ADD_EMAIL, given, token=scene.tokens[Who.OWNER])
    return added["addEmail"]["email"]["id"]


async def _whose_password(_scene: Scene) -> Variables:
    return {"input": {"emailAddress": new_address()}}


async def _a_link_of_nobodys(_scene: Scene) -> Variables:
    return {"input": {"token": "a link of nobody's", "newPassword": PASSWORD}}


async def _passwords(_scene: Scene) -> Variables:
    return {"input": {"currentPassword": "not the password", "newPassword": PASSWORD}}


async def _another_handle(_scene: Scene) -> Variables:
    return {"input": {"confirmHandle": "not-the-handle"}}


async def _the_workspace_by_another_handle(scene: Scene) -> Variables:
    return {"input": {"workspaceId": scene.workspace, "confirmHandle": "not-the-handle"}}


async def _the_owners_handle(scene: Scene) -> Variables:
    return (await scene.backend.api.query("{ viewer { handle } }", token=scene.tokens[Who.OWNER]))["viewer"]


def _of_nobody(_variables: Variables) -> Variables:
    return {"handle": "never-heard-of"}


ROWS = [
    Row(
        "Query.profile",
        "query ($handle: String!) { profile(handle: $handle) { id } }",
        MEMBERS,
        given=_the_owners_handle,
        denied=all_of(EVERYONE, Outcome.NULL),
        elsewhere=_of_nobody,
    ),
    Row(
        "Mutation.updateProfile",
        _mutation("updateProfile", "UpdateProfileInput", "user { id }"),
        PERSONS,
        given=_a_bio,
        denied=_NO_KEYS,
    ),
    Row(
        "Mutation.changeHandle",
        _mutation("changeHandle", "ChangeHandleInput", "user { id }"),
        PERSONS,
        given=_a_handle,
        denied=_NO_KEYS,
    ),
    Row(
        "Mutation.updateVisibility",
        _mutation("updateVisibility", "UpdateVisibilityInput", "user { id }"),
        PERSONS,
        given=_private,
        denied=_NO_KEYS,
    ),
    Row("Mutation.addEmail", _ADD_EMAIL, PERSONS, given=_an_address, denied=_NO_KEYS),
    Row(
        "Mutation.sendEmailVerification",
        _mutation("sendEmailVerification", "IdInput", "email { id }"),
        OWNERS,
        given=_an_address_of_the_owners,
        denied=_THEIRS_ALONE,
    ),
    Row(
        "Mutation.setPrimaryEmail",
        _mutation("setPrimaryEmail", "IdInput", "email { id }"),
        OWNERS,
        given=_an_address_of_the_owners,
        denied=_THEIRS_ALONE,
        may_answer=frozenset({"EMAIL_UNVERIFIED"}),
    ),
    Row(
        "Mutation.removeEmail",
        _mutation("removeEmail", "IdInput", "user { id }"),
        OWNERS,
        given=_an_address_to_remove,
        denied=_THEIRS_ALONE,
    ),
    Row("Mutation.removeAvatar", "mutation { removeAvatar { userErrors { code } } }", PERSONS, denied=_NO_KEYS),
    Row(
        "Mutation.requestPasswordReset",
        _mutation("requestPasswordReset", "RequestPasswordResetInput"),
        EVERYONE,
        given=_whose_password,
    ),
    Row(
        "Mutation.resetPassword",
        _mutation("resetPassword", "ResetPasswordInput"),
        EVERYONE,
        given=_a_link_of_nobodys,
        may_answer=frozenset({"TOKEN_EXPIRED"}),
    ),
    Row(
        "Mutation.changePassword",
        _mutation("changePassword", "ChangePasswordInput"),
        PERSONS,
        given=_passwords,
        denied=_NO_KEYS,
        may_answer=frozenset({"WRONG_CREDENTIALS"}),
    ),
    Row(
        "Mutation.sendReauthenticationCode",
        "mutation { sendReauthenticationCode { userErrors { code } } }",
        PERSONS,
        denied=_NO_KEYS,
    ),
    # typed out wrong, which is told only to who may
    Row(
        "Mutation.deleteAccount",
        _mutation("deleteAccount", "DeleteAccountInput"),
        PERSONS,
        given=_another_handle,
        denied=_NO_KEYS,
        may_answer=frozenset({"INVALID_INPUT"}),
    ),
    Row(
        "Mutation.deleteWorkspace",
        _mutation("deleteWorkspace", "DeleteWorkspaceInput"),
        OWNERS,
        given=_the_workspace_by_another_handle,
        denied=_NO_KEYS,
        may_answer=frozenset({"INVALID_INPUT"}),
    ),
    *nodes({"Profile": _SEE_PROFILE}),
]
