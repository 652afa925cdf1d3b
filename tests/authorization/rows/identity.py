"""People: signing up, in and out, sessions, addresses, phones."""

from __future__ import annotations

from app.ids import GlobalId
from tests.authorization.callers import EVERYONE, KEYS, OWNERS, PERSONS, Who
from tests.authorization.rows.makers import fields_of_user, nodes
from tests.authorization.scene import Scene
from tests.authorization.table import Outcome, Row, Variables, all_of
from tests.support.accounts import PASSWORD, new_address

# a number whose code is never read: what is tried is only whether a code would be looked at
_NUMBER = "+31612345678"


async def _form(_scene: Scene) -> Variables:
    return {"input": {"emailAddress": new_address(), "password": PASSWORD}}


async def _token(_scene: Scene) -> Variables:
    return {"input": {"token": "a link of nobody's"}}


async def _a_session_of_the_owners(scene: Scene) -> Variables:
    opened = await scene.fresh_session(Who.OWNER)
    return {"input": {"id": str(GlobalId("Session", opened.session_id))}}


async def _number(scene: Scene) -> Variables:
    return {"input": {"workspaceId": scene.workspace, "phoneNumber": _NUMBER}}


async def _number_and_code(scene: Scene) -> Variables:
    return {"input": {"workspaceId": scene.workspace, "phoneNumber": _NUMBER, "code": "000000"}}


ROWS = [
    Row("Query.viewer", "{ viewer { id } }", PERSONS, denied=all_of(KEYS | {Who.NOBODY}, Outcome.NULL)),
    Row(
        "Mutation.signUp",
        "mutation ($input: SignUpInput!) { signUp(input: $input) { userErrors { code } } }",
        EVERYONE,
        given=_form,
    ),
    Row(
        "Mutation.verifyEmail",
        "mutation ($input: VerifyEmailInput!) { verifyEmail(input: $input) { token userErrors { code } } }",
        EVERYONE,
        given=_token,
        may_answer=frozenset({"TOKEN_EXPIRED"}),
    ),
    Row(
        "Mutation.signIn",
        "mutation ($input: SignInInput!) { signIn(input: $input) { token userErrors { code } } }",
        EVERYONE,
        given=_form,
        may_answer=frozenset({"WRONG_CREDENTIALS"}),
    ),
    Row("Mutation.signOut", "mutation { signOut { isSignedOut userErrors { code } } }", EVERYONE, ends_session=True),
    Row(
        "Mutation.revokeSession",
        "mutation ($input: IdInput!) { revokeSession(input: $input) { user { id } userErrors { code } } }",
        OWNERS,
        given=_a_session_of_the_owners,
        denied=all_of(PERSONS, Outcome.NOT_FOUND) | all_of(KEYS, Outcome.FORBIDDEN),
    ),
    Row(
        "Mutation.sendPhoneVerification",
        "mutation ($input: SendPhoneVerificationInput!) { sendPhoneVerification(input: $input) { userErrors { code } } }",
        OWNERS,
        given=_number,
        denied=all_of(KEYS, Outcome.FORBIDDEN),
    ),
    Row(
        "Mutation.verifyPhone",
        "mutation ($input: VerifyPhoneInput!) { verifyPhone(input: $input) { workspace { id } userErrors { code } } }",
        OWNERS,
        given=_number_and_code,
        denied=all_of(KEYS, Outcome.FORBIDDEN),
        may_answer=frozenset({"CODE_WRONG", "CODE_EXPIRED"}),
    ),
    *nodes({"User": OWNERS, "Email": OWNERS, "Session": OWNERS}),
    *fields_of_user(
        {
            "id": "",
            "handle": "",
            "firstName": "",
            "lastName": "",
            "displayName": "",
            "company": "",
            "jobTitle": "",
            "bio": "",
            "avatar": "{ initials }",
            "visibility": "",
            "createdAt": "",
            "emails": "{ address }",
            "primaryEmail": "{ address }",
            "workspaces": "{ id }",
            "personalWorkspace": "{ id }",
            "sessions": "{ id userAgent }",
        }
    ),
]
