"""Cross-site: with the victim's cookie, nothing that a page of another origin can send changes anything or learns anything."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import orjson
import pytest
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from tests.support.digest import digest_of, settled
from tests.support.running_backend import Person, RunningBackend, running_backend

_APP = "https://app.example.com"
_FOREIGN = {
    "another site": "https://evil.test",
    "a frame without an origin": "null",
    "a look-alike": "https://app.example.com.evil.test",
    "a look-alike's subdomain": "https://app.example.com-evil.test",
    "http in place of https": "http://app.example.com",
    "another port": "https://app.example.com:8443",
    "a sibling subdomain": "https://blog.example.com",
    "a subdomain of ours": "https://evil.app.example.com",
    "the domain above": "https://example.com",
    "an empty one": "",
    "one with ours in it": "https://evil.test/https://app.example.com",
    "a file": "file://",
    "an extension": "chrome-extension://app.example.com",
}


@dataclass(frozen=True, slots=True)
class _Victim:
    """Somebody whose browser holds a session cookie; `origin` is the API's own."""

    backend: RunningBackend
    person: Person
    cookie: str

    @property
    def origin(self) -> str:
        return self.backend.api.url

    @property
    def mutation(self) -> str:
        """A document that would make a key and tell its secret."""
        given = f'{{workspaceId: "{self.person.workspace}", name: "mine", scopes: [BILLING_WRITE]}}'
        return f"mutation {{ createApiKey(input: {given}) {{ secret userErrors {{ code }} }} }}"

    @property
    def subscription(self) -> str:
        """A document that would tell the balance, and each change of it."""
        return f'subscription {{ creditBalanceChanged(workspaceId: "{self.person.workspace}") {{ available }} }}'

    async def send(self, method: str, origin: str | None, **request: Any) -> httpx.Response:
        """What a browser sends for a page of this origin; without one as for a plain link."""
        headers = {"cookie": self.cookie, **request.pop("headers", {})}
        if origin is not None:
            headers["origin"] = origin
        return await self.backend.api.http.request(method, f"{self.origin}/graphql", headers=headers, **request)


@pytest_asyncio.fixture(scope="module")
async def victim(server_url: str) -> AsyncGenerator[_Victim]:
    """Somebody with credits, signed in at a service that one other origin may use."""
    async with running_backend(server_url, "analytics", allowed_origins=(_APP,)) as backend:
        person = await backend.sign_up()
        await backend.grant(person, "42")
        await settled(backend.database)
        yield _Victim(backend, person, f"counterfoil_session={person.token}")


async def _does_nothing(victim: _Victim, before: Mapping[str, str | None], answer: httpx.Response) -> None:
    """The answer refuses and tells nothing, no page may read it, and nothing has changed."""
    assert answer.status_code >= 400, answer.text
    assert orjson.loads(answer.content).keys() == {"errors"}
    for secret in ("cfk_", "42", victim.person.token, victim.person.workspace):
        assert secret not in answer.text
    assert "set-cookie" not in answer.headers
    assert await digest_of(victim.backend.database) == before


def _forms(document: str) -> dict[str, dict[str, Any]]:
    """What a page can send without asking first, by what it is."""
    body = orjson.dumps({"query": document})
    multipart = {"operations": (None, body), "map": (None, b"{}")}
    return {
        "a form": {"data": {"query": document}},
        "a form that makes JSON": {
            "content": body[:-1] + b', "a": "=b"}',
            "headers": {"content-type": "text/plain"},
        },
        "a multipart form": {"files": multipart},
        "a beacon": {"content": body, "headers": {"content-type": "text/plain;charset=UTF-8"}},
        "no type at all": {"content": body},
        "a type that hides another": {"content": body, "headers": {"content-type": "text/plain; application/json"}},
    }


@pytest.mark.parametrize("origin", [*_FOREIGN.values(), None], ids=[*_FOREIGN, "no origin"])
@pytest.mark.parametrize("form", list(_forms("")))
async def test_a_form_does_nothing(victim: _Victim, form: str, origin: str | None) -> None:
    before = await digest_of(victim.backend.database)

    answer = await victim.send("POST", origin, **_forms(victim.mutation)[form])

    await _does_nothing(victim, before, answer)
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("origin", [None, _APP], ids=["no origin", "an allowed origin"])
async def test_a_form_does_nothing_even_from_a_page_of_ours(victim: _Victim, origin: str | None) -> None:
    before = await digest_of(victim.backend.database)

    for form in _forms(victim.mutation).values():
        await _does_nothing(victim, before, await victim.send("POST", origin, **form))


@pytest.mark.parametrize("origin", _FOREIGN.values(), ids=_FOREIGN)
async def test_json_is_refused_though_no_browser_would_send_it_without_asking(victim: _Victim, origin: str) -> None:
    before = await digest_of(victim.backend.database)

    for document in (victim.mutation, "{ viewer { emails { address } } }", "mutation { signOut { isSignedOut } }"):
        answer = await victim.send("POST", origin, json={"query": document})
        await _does_nothing(victim, before, answer)
        assert answer.status_code == 403


@pytest.mark.parametrize("origin", _FOREIGN.values(), ids=_FOREIGN)
async def test_who_asks_first_is_not_allowed_to_send(victim: _Victim, origin: str) -> None:
    asking = {"access-control-request-method": "POST", "access-control-request-headers": "content-type"}

    answer = await victim.send("OPTIONS", origin, headers=asking)

    assert [name for name in answer.headers if name.startswith("access-control")] == []


@pytest.mark.parametrize("origin", [*_FOREIGN.values(), None, _APP], ids=[*_FOREIGN, "no origin", "an allowed origin"])
async def test_a_link_changes_nothing(victim: _Victim, origin: str | None) -> None:
    before = await digest_of(victim.backend.database)
    asked = {"query": victim.mutation}

    for accept in ("application/json", "*/*", "image/avif,image/webp,*/*;q=0.8", "text/event-stream"):
        answer = await victim.send("GET", origin, params=asked, headers={"accept": accept})
        assert answer.status_code in (403, 405), accept
        assert "cfk_" not in answer.text
    assert await digest_of(victim.backend.database) == before


@pytest.mark.parametrize("origin", _FOREIGN.values(), ids=_FOREIGN)
async def test_a_page_of_another_origin_reads_nothing_by_a_link(victim: _Victim, origin: str) -> None:
    before = await digest_of(victim.backend.database)

    answer = await victim.send("GET", origin, params={"query": "{ viewer { emails { address } } }"})

    await _does_nothing(victim, before, answer)


async def test_what_is_embedded_as_a_script_or_a_picture_is_data_that_no_browser_runs(victim: _Victim) -> None:
    answer = await victim.send("GET", None, params={"query": "{ viewer { id } }"}, headers={"accept": "*/*"})

    assert answer.headers["content-type"].startswith("application/")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("origin", _FOREIGN.values(), ids=_FOREIGN)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_no_stream_is_opened(victim: _Victim, method: str, origin: str) -> None:
    before = await digest_of(victim.backend.database)
    asked = {"query": victim.subscription}
    headers = {"accept": "text/event-stream", "cookie": victim.cookie, "origin": origin}
    sent: dict[str, Any] = {"params": asked} if method == "GET" else {"json": asked}

    async with victim.backend.api.http.stream(method, f"{victim.origin}/graphql", headers=headers, **sent) as answer:
        # one that was opened would never end
        assert answer.status_code == 403
        await answer.aread()

    await _does_nothing(victim, before, answer)


@pytest.mark.parametrize("origin", _FOREIGN.values(), ids=_FOREIGN)
async def test_no_socket_is_opened(victim: _Victim, origin: str) -> None:
    before = await digest_of(victim.backend.database)

    with pytest.raises(InvalidStatus) as refused:
        async with _socket(victim, origin):
            pass

    assert refused.value.response.status_code == 403
    assert await digest_of(victim.backend.database) == before


def _socket(victim: _Victim, origin: str) -> connect:
    return connect(
        f"ws://{urlsplit(victim.origin).netloc}/graphql",
        subprotocols=[Subprotocol("graphql-transport-ws")],
        additional_headers={"cookie": victim.cookie, "origin": origin},
        proxy=None,
    )


async def test_nobody_is_signed_in_as_someone_else_by_a_form(victim: _Victim) -> None:
    sign_in = 'mutation { signIn(input: {emailAddress: "evil@evil.test", password: "x"}) { user { id } } }'
    body = urlencode({"query": sign_in})
    before = await digest_of(victim.backend.database)

    form = {"content-type": "application/x-www-form-urlencoded"}
    for headers in (form, {**form, "cookie": ""}):
        answer = await victim.send("POST", "https://evil.test", content=body, headers=headers)
        await _does_nothing(victim, before, answer)


async def test_our_own_pages_do_all_of_it(victim: _Victim) -> None:
    for origin in (victim.origin, _APP):
        viewer = await victim.send("POST", origin, json={"query": "{ viewer { emails { address } } }"})
        made = await victim.send("POST", origin, json={"query": victim.mutation})
        assert victim.person.address in viewer.text
        assert made.json()["data"]["createApiKey"]["secret"].startswith("cfk_")
        assert made.headers["access-control-allow-origin"] == origin
        async with _socket(victim, origin) as socket:
            await socket.send(orjson.dumps({"type": "connection_init"}).decode())
            assert orjson.loads(await socket.recv()) == {"type": "connection_ack"}
            subscribe = {"id": "1", "type": "subscribe", "payload": {"query": victim.subscription}}
            await socket.send(orjson.dumps(subscribe).decode())
            assert "42" in str(await socket.recv())
