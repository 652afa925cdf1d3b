"""Calling with a token of the identity provider, over HTTP, WebSocket and Server-Sent Events."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from app.clock import Clock
from app.ids import GlobalId, parse_global_id
from app.store import billing_accounts as billing_account_store
from tests.support import operations
from tests.support.accounts import new_address
from tests.support.api import running_api
from tests.support.client import Socket
from tests.support.databases import cloned_url
from tests.support.oidc import IssuerDouble, issuer_double
from tests.support.running_backend import Person, RunningBackend, running_backend

VIEWER = """{ viewer {
  id displayName handle primaryEmail { address isPrimary isVerified } emails { address }
  personalWorkspace { id permissions } sessions { id isCurrent }
} }"""
SIGN_OUT = "mutation { signOut { isSignedOut userErrors { code } } }"
REVOKE = (
    "mutation ($id: ID!) { revokeSession(input: {id: $id}) { user { sessions { id isCurrent } } userErrors { code } } }"
)


@pytest_asyncio.fixture(scope="module")
async def idp() -> AsyncGenerator[IssuerDouble]:
    """The identity provider of this file's tests."""
    async with issuer_double() as double:
        yield double


@pytest_asyncio.fixture(scope="module")
async def federated(server_url: str, idp: IssuerDouble) -> AsyncGenerator[RunningBackend]:
    """A product that takes the provider's tokens."""
    async with running_backend(server_url, "analytics", **idp.settings) as backend:
        yield backend


@pytest_asyncio.fixture
async def own(server_url: str) -> AsyncGenerator[tuple[RunningBackend, IssuerDouble]]:
    """A product and a provider of this test's own, for one that breaks them."""
    async with issuer_double() as double, running_backend(server_url, "analytics", **double.settings) as backend:
        yield backend, double


async def _viewer(backend: RunningBackend, token: str) -> dict[str, Any] | None:
    return (await backend.api.query(VIEWER, token=token))["viewer"]


async def _person(backend: RunningBackend, token: str, address: str) -> Person:
    """Whose a token is, signing in with it."""
    viewer = await _viewer(backend, token)
    assert viewer is not None
    workspace = parse_global_id(viewer["personalWorkspace"]["id"]).id
    user = parse_global_id(viewer["id"]).id
    assert isinstance(workspace, UUID)
    assert isinstance(user, UUID)
    return Person(address, token, user, workspace)


async def _signed_in(backend: RunningBackend, idp: IssuerDouble, **claims: Any) -> Person:
    address = new_address()
    return await _person(backend, idp.token(email=address, email_verified=True, **claims), address)


async def test_a_token_signs_in_and_makes_the_account_with_all_that_belongs_to_it(
    federated: RunningBackend, idp: IssuerDouble
) -> None:
    address = new_address()
    token = idp.token(email=address, email_verified=True, given_name="Ada", family_name="Lovelace")
    viewer = await _viewer(federated, token)
    assert viewer is not None
    assert viewer["displayName"] == "Ada Lovelace"
    assert viewer["primaryEmail"] == {"address": address, "isPrimary": True, "isVerified": True}
    assert "MANAGE_BILLING" in viewer["personalWorkspace"]["permissions"]
    assert viewer["sessions"] == []


async def test_a_token_has_no_session_to_sign_out_of_but_may_end_others(
    federated: RunningBackend, idp: IssuerDouble
) -> None:
    person = await federated.sign_up()
    token = idp.token(email=person.address, email_verified=True)
    viewer = await _viewer(federated, token)
    assert viewer is not None
    [session] = viewer["sessions"]
    assert not session["isCurrent"]
    assert (await federated.api.query(SIGN_OUT, token=token))["signOut"] == {"isSignedOut": False, "userErrors": []}
    assert await _viewer(federated, token) is not None
    revoked = (await federated.api.query(REVOKE, {"id": session["id"]}, token=token))["revokeSession"]
    assert revoked == {"user": {"sessions": []}, "userErrors": []}
    assert await _viewer(federated, person.token) is None


async def test_a_session_and_a_token_of_the_same_person_see_the_same(
    federated: RunningBackend, idp: IssuerDouble
) -> None:
    person = await federated.sign_up()
    token = idp.token(email=person.address, email_verified=True)
    by_token, by_session = await _viewer(federated, token), await _viewer(federated, person.token)
    assert by_token is not None
    assert by_session is not None
    assert by_token["id"] == by_session["id"]
    assert by_session["sessions"][0]["isCurrent"]


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "another"},
        {"exp": 1_000_000_000},
        {"iss": "https://another.example.com"},
        {"sub": "a\0"},
        {"email": None},
    ],
    ids=repr,
)
async def test_a_wrong_token_is_nobodys_everywhere(
    federated: RunningBackend, idp: IssuerDouble, claims: dict[str, Any]
) -> None:
    told: dict[str, Any] = {"email": new_address(), "email_verified": True, **claims}
    token = idp.token(**told)
    for wrong in (token, token[:-8] + "AAAAAAAA", f"{token}.", "a.b.c", "..", "x" * 9_000 + ".y.z"):
        response = await federated.api.send(VIEWER, token=wrong)
        assert (response.status_code, response.json()) == (200, {"data": {"viewer": None}})
        assert await federated.api.refused(operations.BALANCE, {"id": _any_workspace()}, token=wrong) == (
            "UNAUTHENTICATED"
        )
        async with federated.api.socket(wrong) as socket:
            assert "UNAUTHENTICATED" in str(await _refused_watch(socket))
        async with federated.api.events(operations.WATCH_BALANCE, {"id": _any_workspace()}, token=wrong) as events:
            assert "UNAUTHENTICATED" in str([event async for event in events])


def _any_workspace() -> str:
    return str(GlobalId("Workspace", uuid4()))


async def _refused_watch(socket: Socket) -> dict[str, Any]:
    payload = {"query": operations.WATCH_BALANCE, "variables": {"id": _any_workspace()}}
    await socket.send(id="1", type="subscribe", payload=payload)
    return await socket.receive()


async def test_a_balance_is_watched_with_a_token_over_a_socket(federated: RunningBackend, idp: IssuerDouble) -> None:
    person = await _signed_in(federated, idp)
    async with federated.api.socket(person.token) as socket:
        assert (await socket.subscribe(operations.WATCH_BALANCE, {"id": person.workspace}))["available"] == "0"
        await federated.grant(person, "7")
        await socket.until(lambda state: state["available"] == "7")


async def test_a_balance_is_watched_with_a_token_over_an_event_stream(
    federated: RunningBackend, idp: IssuerDouble
) -> None:
    person = await _signed_in(federated, idp)
    async with federated.api.events(operations.WATCH_BALANCE, {"id": person.workspace}, token=person.token) as events:
        assert (await anext(events))["data"]["creditBalanceChanged"]["available"] == "0"
        await federated.grant(person, "7")
        async for event in events:
            if event["data"]["creditBalanceChanged"]["available"] == "7":
                break


async def test_a_first_sight_may_be_that_of_a_socket(federated: RunningBackend, idp: IssuerDouble) -> None:
    address = new_address()
    token = idp.token(email=address, email_verified=True)
    async with federated.api.socket(token) as socket:
        await socket.send(id="1", type="subscribe", payload={"query": VIEWER})
        assert (await socket.state())["primaryEmail"]["address"] == address


@dataclass(slots=True)
class _MovedClock(Clock):
    by: timedelta = timedelta()

    def real_now(self) -> datetime:
        return Clock.real_now(self) + self.by


async def test_a_stream_ends_with_its_token(own: tuple[RunningBackend, IssuerDouble]) -> None:
    backend, idp = own
    person = await _signed_in(backend, idp, sub="ada", exp=int(time.time()) + 600)
    longer = idp.token(sub="ada", exp=int(time.time()) + 6_000)
    async with AsyncExitStack() as stack:
        socket = await stack.enter_async_context(backend.api.socket(person.token))
        staying = await stack.enter_async_context(backend.api.socket(longer))
        watched = (operations.WATCH_BALANCE, {"id": person.workspace})
        await socket.subscribe(*watched)
        await staying.subscribe(*watched)
        events = await stack.enter_async_context(backend.api.events(*watched, token=person.token))
        await anext(events)

        backend.database.clock = _MovedClock(by=timedelta(seconds=601))
        backend.parts.runtime.hub.recheck()

        assert "UNAUTHENTICATED" in str(await socket.receive())
        assert "UNAUTHENTICATED" in str([event async for event in events])
        await backend.grant(person, "7")
        await staying.until(lambda state: state["available"] == "7")
        # and so is everything else that this socket is asked
        await socket.send(id="2", type="subscribe", payload={"query": "{ viewer { id } }"})
        assert (await socket.receive())["payload"] == {"data": {"viewer": None}}


async def test_while_the_provider_is_away_its_tokens_are_neither_taken_nor_refused(
    own: tuple[RunningBackend, IssuerDouble],
) -> None:
    backend, idp = own
    person = await backend.sign_up()
    idp.goes_down()
    token = idp.token(email=new_address(), email_verified=True)
    response = await backend.api.send(VIEWER, token=token)
    assert response.status_code == 503
    assert [error["extensions"]["code"] for error in response.json()["errors"]] == ["UNAVAILABLE"]
    url = f"{backend.api.url.replace('http', 'ws', 1)}/graphql"
    async with connect(url, subprotocols=[Subprotocol("graphql-transport-ws")]) as connection:
        await Socket(connection).send(type="connection_init", payload={"authorization": f"Bearer {token}"})
        with pytest.raises(ConnectionClosed) as closed:
            await connection.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1013
    # and nobody else notices
    assert await _viewer(backend, person.token) is not None
    assert await _viewer(backend, idp.token(aud="another")) is None


async def test_known_keys_carry_on_while_the_provider_is_away(own: tuple[RunningBackend, IssuerDouble]) -> None:
    backend, idp = own
    person = await _signed_in(backend, idp)
    idp.goes_down()
    assert await _viewer(backend, person.token) is not None


async def test_a_rotated_key_is_taken_at_once(
    own: tuple[RunningBackend, IssuerDouble], monkeypatch: pytest.MonkeyPatch
) -> None:
    backend, idp = own
    # as if the provider had not been asked a moment ago
    monkeypatch.setattr("app.oidc.key_cache.FETCH_PAUSE_SECONDS", 0.0)
    person = await _signed_in(backend, idp, sub="ada")
    idp.rotate("RS256", keeps_old=True)
    assert (await _person(backend, idp.token(sub="ada"), person.address)).user_id == person.user_id


async def test_a_token_in_the_session_cookie_is_nobodys(federated: RunningBackend, idp: IssuerDouble) -> None:
    token = idp.token(email=new_address(), email_verified=True)
    cookie = {"cookie": f"counterfoil_session={token}"}
    response = await federated.api.http.post(
        f"{federated.api.url}/graphql", json={"query": "{ viewer { id } }"}, headers=cookie
    )
    assert response.json() == {"data": {"viewer": None}}


async def test_without_a_provider_its_tokens_are_nobodys(server_url: str, idp: IssuerDouble) -> None:
    token = idp.token(email=new_address(), email_verified=True)
    async with cloned_url(server_url) as url, running_api(url) as api, api.program(token) as program:
        assert await program.run("{ viewer { id } }") == {"viewer": None}


async def _unverified(backend: RunningBackend, idp: IssuerDouble) -> Person:
    address = new_address()
    return await _person(backend, idp.token(email=address, email_verified=False), address)


async def test_an_unverified_address_is_shown_for_what_it_is(federated: RunningBackend, idp: IssuerDouble) -> None:
    person = await _unverified(federated, idp)
    viewer = await _viewer(federated, person.token)
    assert viewer is not None
    assert viewer["primaryEmail"] == {"address": person.address, "isPrimary": False, "isVerified": False}
    assert viewer["emails"] == [{"address": person.address}]


async def _spent_nothing(backend: RunningBackend, person: Person) -> None:
    data = await backend.api.query(operations.PURCHASES, {"id": person.workspace}, token=person.token)
    assert data["workspace"]["purchases"]["nodes"] == []
    async with backend.database.read() as session:
        account = await billing_account_store.find(session, person.workspace_id)
    assert account is None or account.customer_id is None


async def test_who_has_no_verified_address_adds_no_card(federated: RunningBackend, idp: IssuerDouble) -> None:
    person = await _unverified(federated, idp)
    given = {"input": {"workspaceId": person.workspace}}
    payload = (await federated.api.query(operations.ADD_CARD, given, token=person.token))["addPaymentMethod"]
    assert [(error["code"], error["path"]) for error in payload["userErrors"]] == [("EMAIL_UNVERIFIED", None)]
    assert payload["clientSecret"] is None
    await _spent_nothing(federated, person)


@pytest.mark.parametrize("order", [{}, {"paymentMethodId": "a card"}], ids=["page", "card"])
async def test_who_has_no_verified_address_buys_nothing_with_a_card_or_on_a_page(
    federated: RunningBackend, idp: IssuerDouble, order: dict[str, str]
) -> None:
    person = await _unverified(federated, idp)
    card = {name: str(GlobalId("PaymentMethod", uuid4(), person.workspace_id)) for name in order}
    payload = await federated.recharge(person, **card)
    assert [(error["code"], error["path"]) for error in payload["userErrors"]] == [("EMAIL_UNVERIFIED", None)]
    assert payload["purchase"] is None
    await _spent_nothing(federated, person)


async def test_once_the_address_is_verified_cards_and_purchases_are_open(
    federated: RunningBackend, idp: IssuerDouble
) -> None:
    address = new_address()
    person = await _person(federated, idp.token(sub=f"late-{address}", email=address), address)
    token = idp.token(sub=f"late-{address}", email=address, email_verified=True)
    person = await _person(federated, token, address)
    await federated.add_card(person)
    assert (await federated.recharge(person))["purchase"]["status"] == "SUCCEEDED"
