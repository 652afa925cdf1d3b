"""Accounts through the API: signing up, in and out, and whom a request belongs to."""

from __future__ import annotations

import re
from typing import Any

import pytest

from app.accounts.access.api_keys import create_service_key
from app.accounts.access.permissions import ApiScope
from app.accounts.people.sessions import open_session
from app.db.unit_of_work import transact
from tests.support.accounts import PASSWORD, Person, new_address, new_person, queued_mails, token_of
from tests.support.api import Api, Client

SIGN_UP = "mutation ($input: SignUpInput!) { signUp(input: $input) { userErrors { code message path } } }"
VERIFY = """
mutation ($input: VerifyEmailInput!) {
  verifyEmail(input: $input) { token user { handle } userErrors { code path } }
}
"""
SIGN_IN = """
mutation ($input: SignInInput!) {
  signIn(input: $input) { token user { primaryEmail { address } sessions { isCurrent } } userErrors { code message path } }
}
"""
SIGN_OUT = "mutation { signOut { isSignedOut userErrors { code } } }"
REVOKE = """
mutation ($input: IdInput!) {
  revokeSession(input: $input) { user { sessions { id } } userErrors { code } }
}
"""
VIEWER = "{ viewer { handle } }"
SESSIONS = "{ viewer { sessions { id userAgent isCurrent createdAt lastSeenAt } } }"


async def _mailed_token(api: Api, client: Client, address: str, **more: str) -> str:
    await client.run(SIGN_UP, input={"emailAddress": address, "password": PASSWORD, **more})
    return token_of((await queued_mails(api.database, address))[-1])


async def _joined(api: Api, client: Client, address: str) -> None:
    """Sign up, follow the mailed link and sign out again."""
    token = await _mailed_token(api, client, address)
    await client.run(VERIFY, input={"token": token})
    await client.run(SIGN_OUT)


def _sign_in_input(address: str, password: str = PASSWORD, **more: object) -> dict[str, object]:
    return {"emailAddress": address, "password": password, **more}


async def test_signing_up_following_the_link_and_signing_in_shows_the_account(api: Api) -> None:
    address = new_address()
    async with api.program() as client:
        token = await _mailed_token(api, client, address, firstName="Ada", lastName="Lovelace")
        verified = (await client.run(VERIFY, input={"token": token, "issueToken": True}))["verifyEmail"]
    assert verified["userErrors"] == []
    document = """{
      viewer {
        id handle firstName lastName displayName company jobTitle bio visibility createdAt
        avatar { url(size: 64) initials }
        emails { id address isPrimary isVerified createdAt }
        primaryEmail { address }
        workspaces { id }
        personalWorkspace { id kind name handle externalId viewerRole permissions phone { masked } }
      }
    }"""
    async with api.program(verified["token"]) as client:
        viewer = (await client.run(document))["viewer"]
    assert viewer["displayName"] == "Ada Lovelace"
    assert viewer["avatar"] == {"url": None, "initials": "AL"}
    assert viewer["visibility"] == "PRIVATE"
    assert [viewer["company"], viewer["jobTitle"], viewer["bio"]] == [None, None, None]
    [email] = viewer["emails"]
    assert (email["address"], email["isPrimary"], email["isVerified"]) == (address, True, True)
    assert viewer["primaryEmail"]["address"] == address
    personal = viewer["personalWorkspace"]
    assert viewer["workspaces"] == [{"id": personal["id"]}]
    assert (personal["kind"], personal["name"], personal["viewerRole"]) == ("PERSONAL", "Ada Lovelace", "OWNER")
    assert personal["handle"] == viewer["handle"]
    assert re.fullmatch(r"ada-lovelace(-\d{4})?", viewer["handle"])
    assert len(personal["permissions"]) == 6
    assert personal["phone"] is None


async def test_signing_up_answers_alike_for_known_and_new_addresses_and_mails_both(api: Api) -> None:
    known, unknown = new_address(), new_address()
    await new_person(api.database, address=known)
    async with api.browser() as client:
        answers = [
            await client.send(SIGN_UP, input={"emailAddress": address, "password": PASSWORD})
            for address in (known, unknown)
        ]
    assert answers[0].content == answers[1].content
    assert [answer.status_code for answer in answers] == [200, 200]
    assert ["set-cookie" in answer.headers for answer in answers] == [False, False]
    assert [len(await queued_mails(api.database, address)) for address in (known, unknown)] == [1, 1]


@pytest.mark.parametrize(
    ("member", "value", "code"),
    [
        ("emailAddress", "no address", "INVALID_INPUT"),
        ("password", "too short", "INVALID_INPUT"),
        ("handle", "-ada", "HANDLE_INVALID"),
        ("handle", "admin", "HANDLE_INVALID"),
        ("firstName", "x" * 101, "INVALID_INPUT"),
        ("lastName", "two\nlines", "INVALID_INPUT"),
    ],
)
async def test_a_wrong_sign_up_says_which_field_is_wrong(api: Api, member: str, value: str, code: str) -> None:
    address = new_address()
    form = {"emailAddress": address, "password": PASSWORD, member: value}
    async with api.program() as client:
        [error] = (await client.run(SIGN_UP, input=form))["signUp"]["userErrors"]
    assert (error["code"], error["path"]) == (code, ["input", member])
    assert await queued_mails(api.database, address) == []


async def test_a_mailed_link_works_once(api: Api) -> None:
    async with api.program() as client:
        token = await _mailed_token(api, client, new_address())
        await client.run(VERIFY, input={"token": token})
        again = (await client.run(VERIFY, input={"token": token}))["verifyEmail"]
    assert again == {
        "token": None,
        "user": None,
        "userErrors": [{"code": "TOKEN_EXPIRED", "path": ["input", "token"]}],
    }


async def test_that_an_address_is_taken_is_told_to_the_holder_of_its_mailed_link(api: Api) -> None:
    address = new_address()
    async with api.program() as client:
        slow = await _mailed_token(api, client, address)
        await client.run(VERIFY, input={"token": await _mailed_token(api, client, address)})
        [error] = (await client.run(VERIFY, input={"token": slow}))["verifyEmail"]["userErrors"]
    assert (error["code"], error["path"]) == ("EMAIL_TAKEN", ["input", "token"])


async def test_that_an_address_is_taken_is_worded_right_for_ones_own_account_and_for_an_added_address(api: Api) -> None:
    address, person = new_address(), await new_person(api.database)
    add = "mutation ($address: String!) { addEmail(input: {address: $address}) { userErrors { code } } }"
    follow = "mutation ($token: String!) { verifyEmail(input: {token: $token}) { userErrors { code message path } } }"
    async with api.program() as stranger, api.program(person.token) as client:
        second = await _mailed_token(api, stranger, address)
        await client.run(add, address=address)
        added = token_of((await queued_mails(api.database, address))[-1])
        await stranger.run(VERIFY, input={"token": await _mailed_token(api, stranger, address)})
        for token in (second, added):
            [error] = (await client.run(follow, token=token))["verifyEmail"]["userErrors"]
            assert error == {
                "code": "EMAIL_TAKEN",
                "message": "An account has verified this address already. Sign in with it, or use another address.",
                "path": ["input", "token"],
            }


async def test_a_web_page_gets_an_http_only_cookie_and_never_sees_a_token(api: Api) -> None:
    address = new_address()
    async with api.browser() as client:
        await _joined(api, client, address)
        answer = await client.send(SIGN_IN, input=_sign_in_input(address, issueToken=True))
        cookie = answer.headers["set-cookie"].lower()
        value = client.http.cookies["counterfoil_session"]
        viewer = (await client.run(VIEWER))["viewer"]
    assert answer.json()["data"]["signIn"]["token"] is None
    assert value not in answer.text
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert viewer is not None


async def test_a_program_that_asks_for_a_token_gets_one_and_no_cookie(api: Api) -> None:
    address = new_address()
    async with api.program() as client:
        await _joined(api, client, address)
        answer = await client.send(SIGN_IN, input=_sign_in_input(address.upper(), issueToken=True))
    signed_in = answer.json()["data"]["signIn"]
    assert "set-cookie" not in answer.headers
    assert signed_in["user"]["primaryEmail"]["address"] == address
    assert signed_in["user"]["sessions"] == [{"isCurrent": True}]
    async with api.program(signed_in["token"]) as client:
        assert (await client.run(VIEWER))["viewer"] is not None


async def test_a_program_that_asks_for_no_token_gets_the_cookie(api: Api) -> None:
    address = new_address()
    async with api.program() as client:
        await _joined(api, client, address)
        signed_in = (await client.run(SIGN_IN, input=_sign_in_input(address)))["signIn"]
        viewer = (await client.run(VIEWER))["viewer"]
    assert signed_in["token"] is None
    assert viewer is not None


async def test_everything_wrong_about_signing_in_is_answered_alike(api: Api) -> None:
    known, pending = new_address(), new_address()
    async with api.program() as client:
        await _joined(api, client, known)
        await client.run(SIGN_UP, input={"emailAddress": pending, "password": PASSWORD})
        attempts = [
            _sign_in_input(known, "a wrong password"),
            _sign_in_input(known, ""),
            _sign_in_input(pending),
            _sign_in_input(new_address()),
            _sign_in_input("no address"),
        ]
        answers = [(await client.send(SIGN_IN, input=attempt)).content for attempt in attempts]
        [error] = (await client.run(SIGN_IN, input=attempts[0]))["signIn"]["userErrors"]
    assert len(set(answers)) == 1
    assert error["code"] == "WRONG_CREDENTIALS"
    assert error["path"] is None


async def test_too_many_failures_say_how_long_to_wait(api: Api) -> None:
    address = new_address()
    async with api.program() as client:
        for _ in range(10):
            await client.run(SIGN_IN, input=_sign_in_input(address))
        refusal = await client.refused(SIGN_IN, input=_sign_in_input(address))
    assert refusal["code"] == "RATE_LIMITED"
    assert 0 < refusal["retryAfterSeconds"] <= 900


async def test_signing_out_ends_session_and_cookie(api: Api) -> None:
    address = new_address()
    async with api.browser() as client:
        await _joined(api, client, address)
        await client.run(SIGN_IN, input=_sign_in_input(address))
        stolen = client.http.cookies["counterfoil_session"]
        assert (await client.run(SIGN_OUT))["signOut"] == {"isSignedOut": True, "userErrors": []}
        assert "counterfoil_session" not in client.http.cookies
        assert (await client.run(SIGN_OUT))["signOut"]["isSignedOut"] is False
    async with api.program(stolen) as client:
        assert (await client.run(VIEWER))["viewer"] is None


async def test_the_list_of_sessions_says_which_is_current_and_each_can_be_ended(api: Api) -> None:
    person = await new_person(api.database)
    second = await _another_session(api, person)
    async with api.program(person.token) as client:
        listed = (await client.run(SESSIONS))["viewer"]["sessions"]
        assert [each["isCurrent"] for each in listed] == [False, True]
        left = (await client.run(REVOKE, input={"id": listed[0]["id"]}))["revokeSession"]
    assert left == {"user": {"sessions": [{"id": listed[1]["id"]}]}, "userErrors": []}
    async with api.program(second) as client:
        assert (await client.run(VIEWER))["viewer"] is None


async def test_ending_the_current_session_signs_out(api: Api) -> None:
    person = await new_person(api.database)
    async with api.browser() as client:
        client.http.cookies.set("counterfoil_session", person.token)
        [session] = (await client.run(SESSIONS))["viewer"]["sessions"]
        answer = await client.send(REVOKE, input={"id": session["id"]})
        assert "max-age=0" in answer.headers["set-cookie"].lower()
    async with api.program(person.token) as client:
        assert (await client.run(VIEWER))["viewer"] is None


async def _another_session(api: Api, person: Person) -> str:
    opened = await transact(api.database, lambda session: open_session(session, person.user.id, "another"))
    return opened.token


@pytest.mark.parametrize("wrong", ["Session_AAAA", "nonsense", "", "User"])
async def test_an_id_that_is_no_session_of_ones_own_is_not_found(api: Api, wrong: str) -> None:
    person, other = await new_person(api.database), await new_person(api.database)
    async with api.program(other.token) as client:
        [theirs] = (await client.run(SESSIONS))["viewer"]["sessions"]
    async with api.program(person.token) as client:
        for session_id in (wrong, theirs["id"]):
            assert (await client.refused(REVOKE, input={"id": session_id}))["code"] == "NOT_FOUND"
    async with api.program(other.token) as client:
        assert (await client.run(VIEWER))["viewer"] is not None


async def test_nobody_and_keys_have_no_viewer_and_no_sessions_to_end(api: Api) -> None:
    _, secret = await transact(api.database, lambda session: create_service_key(session, "a server", list(ApiScope)))
    for token, code in ((None, "UNAUTHENTICATED"), ("nonsense", "UNAUTHENTICATED"), (secret, "FORBIDDEN")):
        async with api.program(token) as client:
            assert (await client.run(VIEWER))["viewer"] is None
            assert (await client.run(SIGN_OUT))["signOut"]["isSignedOut"] is False
            for session_id in ("Session_AAAA", "nonsense"):
                assert (await client.refused(REVOKE, input={"id": session_id}))["code"] == code


async def test_a_person_reads_themselves_their_addresses_and_sessions_by_id_and_nobody_elses(api: Api) -> None:
    person, other = await new_person(api.database), await new_person(api.database)
    document = "query ($id: ID!) { node(id: $id) { id __typename } }"
    async with api.program(person.token) as client:
        mine: dict[str, Any] = (await client.run("{ viewer { id emails { id } sessions { id } } }"))["viewer"]
        ids = {"User": mine["id"], "Email": mine["emails"][0]["id"], "Session": mine["sessions"][0]["id"]}
        for name, node_id in ids.items():
            assert (await client.run(document, id=node_id))["node"] == {"id": node_id, "__typename": name}
    async with api.program() as stranger, api.program(other.token) as neighbour:
        for node_id in ids.values():
            assert (await stranger.run(document, id=node_id))["node"] is None
            assert (await neighbour.run(document, id=node_id))["node"] is None
