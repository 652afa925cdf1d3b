"""The session cookie of a page: how long its browser keeps it, and where it can't be set."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import func, select, update
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from app.accounts.access.callers import ANONYMOUS, UserCaller
from app.db.engine import Session
from app.db.tables.development_inbox import InboxMessageRow
from app.db.tables.people import SessionRow
from app.db.unit_of_work import transact
from app.store.users import set_password
from tests.support.accounts import PASSWORD, authenticate, new_address
from tests.support.client import Socket, eventually
from tests.support.running_backend import Person, RunningBackend

_DAY = timedelta(days=1)
_MONTH_SECONDS = 30 * 24 * 60 * 60
_NAME = "counterfoil_session"

_VIEWER = "{ viewer { handle } }"
_SIGN_OUT = "mutation { signOut { isSignedOut } }"
_SIGN_IN = "mutation ($input: SignInInput!) { signIn(input: $input) { token user { id } userErrors { code } } }"
_VERIFY = (
    "mutation ($input: VerifyEmailInput!) { verifyEmail(input: $input) { token user { id } userErrors { code } } }"
)
_RESET = "mutation ($input: ResetPasswordInput!) { resetPassword(input: $input) { user { id } userErrors { code } } }"
_BALANCE = "subscription ($id: ID!) { creditBalanceChanged(workspaceId: $id) { version } }"


@dataclass(frozen=True, slots=True)
class _Page:
    """A page of someone whose session was opened a while ago."""

    backend: RunningBackend
    person: Person
    session_id: UUID
    http: httpx.AsyncClient

    async def send(self, document: str, variables: dict[str, object] | None = None) -> httpx.Response:
        """The answer to a document that comes with the cookie."""
        body = {"query": document, "variables": variables or {}}
        return await self.http.post("/graphql", json=body)

    async def row(self) -> SessionRow:
        async with self.backend.database.read() as session:
            return (await session.scalars(select(SessionRow).where(SessionRow.id == self.session_id))).one()

    async def age(self, by: timedelta) -> None:
        """Let the session be this much older in everything that is kept of it."""

        async def move(session: Session) -> None:
            moved = {
                name: getattr(SessionRow, name) - by for name in ("created_at", "last_seen_at", "cookie_renewed_at")
            }
            await session.execute(update(SessionRow).where(SessionRow.id == self.session_id).values(moved))

        await transact(self.backend.database, move)

    async def over_a_socket(self, document: str, variables: dict[str, object], *, as_page: bool = True) -> Any:
        """The only message that answers a document sent over a socket, by a page or by a program without credentials."""
        async with self.socket() if as_page else _program_socket(self.backend) as (socket, _):
            await socket.send(id="1", type="subscribe", payload={"query": document, "variables": variables})
            return await socket.receive()

    @asynccontextmanager
    async def socket(self) -> AsyncGenerator[tuple[Socket, httpx.Headers]]:
        """An acknowledged socket of the page, and the headers that its handshake was answered with."""
        headers = {"cookie": f"{_NAME}={self.person.token}", "origin": self.backend.api.url}
        async with _socket(self.backend, headers) as opened:
            yield opened


@asynccontextmanager
async def _socket(backend: RunningBackend, headers: dict[str, str]) -> AsyncGenerator[tuple[Socket, httpx.Headers]]:
    url = backend.api.url.replace("http", "ws", 1) + "/graphql"
    subprotocols = [Subprotocol("graphql-transport-ws")]
    async with connect(url, subprotocols=subprotocols, additional_headers=headers, proxy=None) as connection:
        socket = Socket(connection)
        await socket.send(type="connection_init")
        assert (await socket.receive())["type"] == "connection_ack"
        assert connection.response is not None
        yield socket, httpx.Headers(list(connection.response.headers.raw_items()))


def _program_socket(backend: RunningBackend) -> AbstractAsyncContextManager[tuple[Socket, httpx.Headers]]:
    return _socket(backend, {})


@pytest_asyncio.fixture
async def page(backend: RunningBackend) -> AsyncGenerator[_Page]:
    """Opened just now."""
    person = await backend.sign_up()
    caller = await authenticate(backend.database, person.token)
    assert isinstance(caller, UserCaller)
    assert caller.session_id is not None
    headers = {"origin": backend.api.url, "cookie": f"{_NAME}={person.token}"}
    async with httpx.AsyncClient(base_url=backend.api.url, headers=headers) as http:
        yield _Page(backend, person, caller.session_id, http)


def _cookies(answer: httpx.Response) -> list[str]:
    return answer.headers.get_list("set-cookie")


def _assert_renewed(page: _Page, cookies: list[str]) -> None:
    [cookie] = cookies
    value, *attributes = (part.strip().lower() for part in cookie.split(";"))
    assert value == f"{_NAME}={page.person.token}".lower()
    assert {"httponly", "samesite=lax", f"max-age={_MONTH_SECONDS}", "path=/"} <= set(attributes)


async def test_a_browser_keeps_the_cookie_for_30_days_from_its_last_use(page: _Page) -> None:
    for _ in range(3):
        await page.age(20 * _DAY)
        answer = await page.send(_VIEWER)
        assert answer.json()["data"]["viewer"] is not None
        _assert_renewed(page, _cookies(answer))


async def test_the_cookie_is_sent_again_about_once_a_day_and_not_with_every_answer(page: _Page) -> None:
    assert _cookies(await page.send(_VIEWER)) == []
    await page.age(_DAY - timedelta(minutes=5))
    assert _cookies(await page.send(_VIEWER)) == []
    await page.age(timedelta(minutes=6))
    _assert_renewed(page, _cookies(await page.send(_VIEWER)))
    assert _cookies(await page.send(_VIEWER)) == []


async def test_of_many_answers_at_once_one_sends_the_cookie_again(page: _Page) -> None:
    await page.age(2 * _DAY)
    answers = await asyncio.gather(*(page.send(_VIEWER) for _ in range(6)))
    assert [answer.json()["data"]["viewer"] is not None for answer in answers] == [True] * 6
    assert sum(len(_cookies(answer)) for answer in answers) == 1


async def test_renewing_the_cookie_notes_the_use(page: _Page) -> None:
    await page.age(29 * _DAY)
    before = (await page.row()).last_seen_at
    await page.send(_VIEWER)
    assert (await page.row()).last_seen_at > before + 28 * _DAY


async def test_a_bearer_token_is_answered_without_a_cookie_even_beside_one(page: _Page) -> None:
    await page.age(2 * _DAY)
    bearer = {"authorization": f"Bearer {page.person.token}"}
    for headers in (bearer, {**bearer, "cookie": f"{_NAME}={page.person.token}"}):
        answer = await page.backend.api.http.post(
            f"{page.backend.api.url}/graphql", json={"query": _VIEWER}, headers=headers
        )
        assert answer.json()["data"]["viewer"] is not None
        assert _cookies(answer) == []


async def test_an_answer_that_signs_out_only_takes_the_cookie_away(page: _Page) -> None:
    await page.age(2 * _DAY)
    [cookie] = _cookies(await page.send(_SIGN_OUT))
    assert "max-age=0" in cookie.lower()
    assert page.person.token not in cookie


async def test_an_answer_that_ends_its_own_session_only_takes_the_cookie_away(page: _Page) -> None:
    await page.age(2 * _DAY)
    listed = await page.backend.api.query("{ viewer { sessions { id } } }", token=page.person.token)
    [own] = listed["viewer"]["sessions"]
    revoke = "mutation ($id: ID!) { revokeSession(input: {id: $id}) { userErrors { code } } }"
    [cookie] = _cookies(await page.send(revoke, {"id": own["id"]}))
    assert "max-age=0" in cookie.lower()


async def test_a_session_that_has_ended_gets_no_cookie(page: _Page) -> None:
    await page.age(31 * _DAY)
    answer = await page.send(_VIEWER)
    assert answer.json()["data"]["viewer"] is None
    assert _cookies(answer) == []


async def test_an_event_stream_renews_the_cookie_as_it_begins(page: _Page) -> None:
    await page.age(2 * _DAY)
    body = {"query": _BALANCE, "variables": {"id": page.person.workspace}}
    stream = page.http.stream("POST", "/graphql", json=body, headers={"accept": "text/event-stream"})
    async with stream as answer:
        _assert_renewed(page, _cookies(answer))
        assert answer.headers["content-type"].startswith("text/event-stream")


async def test_the_explorers_page_renews_the_cookie(page: _Page) -> None:
    await page.age(2 * _DAY)
    answer = await page.http.get("/graphql", headers={"accept": "text/html"})
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["cache-control"] == "no-store"
    _assert_renewed(page, _cookies(answer))


async def test_a_socket_sends_no_cookie_and_leaves_the_next_answer_to_do_it(page: _Page) -> None:
    await page.age(2 * _DAY)
    async with page.socket() as (socket, headers):
        await socket.send(id="1", type="subscribe", payload={"query": _VIEWER})
        assert (await socket.receive())["payload"]["data"]["viewer"] is not None
        assert "set-cookie" not in headers
    _assert_renewed(page, _cookies(await page.send(_VIEWER)))


async def test_a_form_with_files_whose_sender_is_looked_at_twice_renews_the_cookie_too(page: _Page) -> None:
    await page.age(2 * _DAY)
    form = {"operations": (None, '{"query": "{ viewer { handle } }"}'), "map": (None, "{}")}
    answer = await page.http.post("/graphql", files=form, headers={"graphql-require-preflight": "1"})
    assert answer.json()["data"]["viewer"] is not None
    _assert_renewed(page, _cookies(answer))


def _assert_refused(message: Any, *, offers_token: bool) -> None:
    assert message["type"] == "next"
    [error] = message["payload"]["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert "by HTTP" in error["message"]
    assert ("issueToken" in error["message"]) is offers_token


async def _sessions(backend: RunningBackend) -> int:
    async with backend.database.read() as session:
        return (await session.scalars(select(func.count()).select_from(SessionRow))).one()


async def _with_password(page: _Page) -> dict[str, object]:
    """What the person signs in with, once they have a password."""
    hashed = await page.backend.parts.runtime.passwords.hash(PASSWORD)
    await transact(page.backend.database, lambda session: set_password(session, page.person.user_id, hashed))
    return {"emailAddress": page.person.address, "password": PASSWORD}


@pytest.mark.parametrize(("as_page", "issue_token"), [(True, False), (True, True), (False, False)])
async def test_nobody_signs_in_over_a_socket_to_a_session_that_nobody_would_hold(
    page: _Page, as_page: bool, issue_token: bool
) -> None:
    given = {**await _with_password(page), "issueToken": issue_token}
    before = await _sessions(page.backend)
    message = await page.over_a_socket(_SIGN_IN, {"input": given}, as_page=as_page)
    _assert_refused(message, offers_token=not as_page)
    assert await _sessions(page.backend) == before


async def test_a_program_that_asks_for_a_token_signs_in_over_a_socket(page: _Page) -> None:
    given = {**await _with_password(page), "issueToken": True}
    message = await page.over_a_socket(_SIGN_IN, {"input": given}, as_page=False)
    token = message["payload"]["data"]["signIn"]["token"]
    assert (await page.backend.api.query(_VIEWER, token=token))["viewer"] is not None


@pytest.mark.parametrize("as_page", [True, False])
async def test_a_sign_ups_link_followed_over_a_socket_stays_good(page: _Page, as_page: bool) -> None:
    sign_up = "mutation ($input: SignUpInput!) { signUp(input: $input) { userErrors { code } } }"
    address = new_address()
    await page.send(sign_up, {"input": {"emailAddress": address, "password": PASSWORD}})
    given: dict[str, object] = {"token": await _mailed_token(page, address)}
    before = await _sessions(page.backend)
    _assert_refused(await page.over_a_socket(_VERIFY, {"input": given}, as_page=as_page), offers_token=not as_page)
    assert await _sessions(page.backend) == before
    answer = await page.send(_VERIFY, {"input": given})
    assert answer.json()["data"]["verifyEmail"]["userErrors"] == []
    assert len(_cookies(answer)) == 1


async def test_an_added_address_is_verified_over_a_socket_since_that_opens_no_session(page: _Page) -> None:
    add = "mutation ($address: String!) { addEmail(input: {address: $address}) { userErrors { code } } }"
    address = new_address()
    await page.send(add, {"address": address})
    given: dict[str, object] = {"token": await _mailed_token(page, address)}
    message = await page.over_a_socket(_VERIFY, {"input": given})
    assert message["payload"]["data"]["verifyEmail"]["user"] is not None


@pytest.mark.parametrize("as_page", [True, False])
async def test_a_link_that_resets_the_password_followed_over_a_socket_stays_good(page: _Page, as_page: bool) -> None:
    ask = (
        "mutation ($address: String!) { requestPasswordReset(input: {emailAddress: $address}) { userErrors { code } } }"
    )
    await page.send(ask, {"address": page.person.address})
    given: dict[str, object] = {
        "token": await _mailed_token(page, page.person.address),
        "newPassword": "another battery horse",
    }
    _assert_refused(await page.over_a_socket(_RESET, {"input": given}, as_page=as_page), offers_token=False)
    assert (await page.send(_VIEWER)).json()["data"]["viewer"] is not None
    answer = await page.send(_RESET, {"input": given})
    assert answer.json()["data"]["resetPassword"]["userErrors"] == []


async def test_an_event_stream_sets_the_cookie_of_who_signs_in(page: _Page) -> None:
    body = {"query": _SIGN_IN, "variables": {"input": await _with_password(page)}}
    answer = await page.http.post("/graphql", json=body, headers={"accept": "text/event-stream"})
    assert answer.headers["content-type"].startswith("text/event-stream")
    [cookie] = _cookies(answer)
    assert cookie.startswith(f"{_NAME}=")


async def _is_open(page: _Page) -> bool:
    return await authenticate(page.backend.database, page.person.token) != ANONYMOUS


async def test_signing_in_again_from_the_same_browser_session_replaces_that_session(page: _Page) -> None:
    given = await _with_password(page)
    await page.send(_SIGN_IN, {"input": {**given, "password": "not the password"}})
    assert await _is_open(page)
    before = await _sessions(page.backend)
    assert len(_cookies(await page.send(_SIGN_IN, {"input": given}))) == 1
    assert not await _is_open(page)
    assert await _sessions(page.backend) == before


async def test_a_link_followed_in_the_same_browser_session_replaces_that_session(page: _Page) -> None:
    address = new_address()
    sign_up = "mutation ($input: SignUpInput!) { signUp(input: $input) { userErrors { code } } }"
    await page.send(sign_up, {"input": {"emailAddress": address, "password": PASSWORD}})
    answer = await page.send(_VERIFY, {"input": {"token": await _mailed_token(page, address)}})
    assert answer.json()["data"]["verifyEmail"]["userErrors"] == []
    assert not await _is_open(page)


async def test_a_reset_in_somebody_elses_browser_session_replaces_that_session(page: _Page) -> None:
    other = await page.backend.sign_up()
    ask = "mutation ($address: String!) { requestPasswordReset(input: {emailAddress: $address}) { __typename } }"
    await page.send(ask, {"address": other.address})
    given = {"token": await _mailed_token(page, other.address), "newPassword": "another battery horse"}
    assert (await page.send(_RESET, {"input": given})).json()["data"]["resetPassword"]["userErrors"] == []
    assert not await _is_open(page)


async def test_a_session_of_a_bearer_token_stays_when_its_program_signs_in_again(page: _Page) -> None:
    given = await _with_password(page)
    for issue_token in (True, False):
        variables = {"input": {**given, "issueToken": issue_token}}
        answer = await page.backend.api.query(_SIGN_IN, variables, token=page.person.token)
        assert answer["signIn"]["userErrors"] == []
        assert await _is_open(page)


async def test_a_program_that_asks_for_a_token_keeps_the_session_of_its_cookie(page: _Page) -> None:
    body = {"query": _SIGN_IN, "variables": {"input": {**await _with_password(page), "issueToken": True}}}
    headers = {"cookie": f"{_NAME}={page.person.token}"}
    answer = await page.backend.api.http.post(f"{page.backend.api.url}/graphql", json=body, headers=headers)
    assert answer.json()["data"]["signIn"]["token"] is not None
    assert await _is_open(page)


async def _mailed_token(page: _Page, address: str) -> str:
    """The token of the last link mailed to the address."""

    async def mailed() -> str | None:
        query = (
            select(InboxMessageRow.links)
            .where(InboxMessageRow.recipient == address, func.cardinality(InboxMessageRow.links) > 0)
            .order_by(InboxMessageRow.sent_at.desc())
        )
        async with page.backend.database.read() as session:
            links = (await session.scalars(query)).first()
        return links[0].partition("?token=")[2] if links else None

    token = await eventually(mailed)
    assert token is not None
    return token
