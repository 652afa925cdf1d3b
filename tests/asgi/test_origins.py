"""Cross-site: a page of another origin does nothing with a victim's cookie."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import orjson
import pytest
import pytest_asyncio

from app.asgi.graphql import GraphQLSettings
from tests.asgi.conftest import Client, client_for, code_of

OWN = "http://testserver"
ALLOWED = "https://app.example.com"
FOREIGN = "https://evil.example"
FOREIGN_ORIGINS = [
    FOREIGN,
    "null",
    "",
    "http://testserver.evil.example",
    "http://test",
    "http://evil.example#testserver",
    "http://[",
    "file://testserver",
    "http://testserver:81",
]
FORM_TYPES = [
    "text/plain",
    "application/x-www-form-urlencoded",
    "text/plain; application/json",
]
SIGN_OUT = orjson.dumps({"query": "mutation { signOut }"})


@pytest_asyncio.fixture
async def victim() -> AsyncGenerator[Client]:
    """A browser that holds a session cookie."""
    async with client_for(GraphQLSettings(allowed_origins=frozenset({ALLOWED}))) as client:
        client.http.cookies.set("counterfoil_session", "s3cret")
        yield client


@pytest.mark.parametrize(
    "origin",
    [
        FOREIGN,
        "null",
        "",
        "http://testserver.evil.example",
        "http://test",
        "http://evil.example#testserver",
        "http://[",
        "file://testserver",
        "http://testserver:81",
    ],
)
async def test_a_foreign_page_with_the_cookie_is_refused(victim: Client, origin: str) -> None:
    response = await victim.post("mutation { signOut }", headers={"origin": origin})
    assert (response.status_code, code_of(response)) == (403, "FORBIDDEN")
    assert not victim.contexts.made
    assert "access-control-allow-origin" not in response.headers


@pytest.mark.parametrize("origin", [OWN, ALLOWED])
async def test_our_own_and_allowed_pages_may_use_the_cookie(victim: Client, origin: str) -> None:
    response = await victim.post("{ viewer }", headers={"origin": origin})
    assert response.json() == {"data": {"viewer": "ada"}}
    assert response.headers["access-control-allow-origin"] == origin
    assert response.headers["access-control-allow-credentials"] == "true"
    assert "Origin" in response.headers["vary"]


@pytest.mark.parametrize("content_type", FORM_TYPES)
async def test_what_a_form_can_send_does_nothing(victim: Client, content_type: str) -> None:
    response = await victim.post_bytes(SIGN_OUT, content_type)
    assert response.status_code == 415
    assert not victim.contexts.made


async def test_a_foreign_page_without_the_cookie_is_anybody(victim: Client) -> None:
    victim.http.cookies.clear()
    response = await victim.post("{ viewer }", headers={"origin": FOREIGN})
    assert response.json() == {"data": {"viewer": None}}
    assert "access-control-allow-origin" not in response.headers


async def test_a_foreign_event_stream_with_the_cookie_is_refused(victim: Client) -> None:
    response = await victim.get(query="subscription { count }", accept="text/event-stream", headers={"origin": FOREIGN})
    assert response.status_code == 403


async def test_a_preflight_is_granted_to_allowed_origins_only(victim: Client) -> None:
    asking = {"access-control-request-method": "POST", "access-control-request-headers": "content-type"}
    granted = await victim.http.options("/graphql", headers={"origin": ALLOWED, **asking})
    assert granted.status_code == 204
    assert granted.headers["access-control-allow-origin"] == ALLOWED
    assert "content-type" in granted.headers["access-control-allow-headers"]
    assert granted.headers["access-control-allow-methods"] == "GET, POST"
    refused = await victim.http.options("/graphql", headers={"origin": FOREIGN, **asking})
    assert "access-control-allow-origin" not in refused.headers
    assert "access-control-allow-methods" not in refused.headers


async def test_options_without_an_origin_names_the_methods(victim: Client) -> None:
    response = await victim.http.options("/graphql")
    assert (response.status_code, response.headers["allow"]) == (204, "GET, POST, OPTIONS")


async def test_where_cookies_are_secure_an_http_page_of_our_host_is_foreign() -> None:
    async with client_for(GraphQLSettings(secure_cookies=True)) as client:
        cookie = {"cookie": "counterfoil_session=s3cret"}
        assert (await client.post("{ hello }", headers={"origin": OWN, **cookie})).status_code == 403
        assert (await client.post("{ hello }", headers={"origin": "https://testserver", **cookie})).status_code == 200
