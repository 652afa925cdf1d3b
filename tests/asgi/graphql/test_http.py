"""Methods, media types, cookies and who the caller is."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from app.asgi.graphql import GraphQLSettings
from app.asgi.graphql.negotiation import accepted
from tests.asgi.conftest import GRAPHQL, JSON, Client, client_for, code_of

STREAM = "text/event-stream"


@pytest.mark.parametrize(
    ("accept", "single"),
    [
        (None, JSON),
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (JSON, JSON),
        (GRAPHQL, GRAPHQL),
        (f"{JSON}, {GRAPHQL}", GRAPHQL),
        (f"{GRAPHQL};q=0.5, {JSON}", JSON),
        (f"{GRAPHQL}, {JSON};q=0.9", GRAPHQL),
        (f"{GRAPHQL};q=0, */*", JSON),
        ("application/GraphQL-Response+JSON; charset=UTF-8", GRAPHQL),
        (f"{JSON}; charset=latin-1", None),
        (f"{JSON};q=0", None),
        ("*/*;q=0", None),
        ("text/plain", None),
        ("application/json;q=nonsense", None),
        (", ;q=1,", None),
    ],
)
def test_accept_chooses_the_media_type(accept: str | None, single: str | None) -> None:
    assert accepted(accept).single == single


def test_an_event_stream_is_only_for_those_who_name_it() -> None:
    assert not accepted("*/*").event_stream
    assert accepted(STREAM).prefers_event_stream
    assert accepted(f"{STREAM}, */*;q=0.1").prefers_event_stream
    assert not accepted(f"{GRAPHQL}, {JSON}, {STREAM}, multipart/mixed").prefers_event_stream


async def test_nothing_acceptable_is_a_406(client: Client) -> None:
    response = await client.post("{ hello }", accept="text/plain")
    assert response.status_code == 406
    assert response.headers["content-type"].startswith(JSON)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "HEAD", "TRACE", "NONSENSE"])
async def test_other_methods_are_a_405_that_names_the_allowed(client: Client, method: str) -> None:
    response = await client.http.request(method, "/graphql")
    assert response.status_code == 405
    assert response.headers["allow"] == "GET, POST, OPTIONS"


async def test_a_mutation_by_get_is_a_405_and_does_nothing(client: Client) -> None:
    for accept in (GRAPHQL, JSON, STREAM):
        response = await client.get(query="mutation { signIn }", accept=accept)
        assert (response.status_code, response.headers["allow"]) == (405, "POST")
        assert "set-cookie" not in response.headers
        assert not client.contexts.made[-1].cookies


async def test_a_mutation_hidden_behind_a_query_by_get_is_a_405(client: Client) -> None:
    response = await client.get(query="query A { hello } mutation B { signIn }", operationName="B")
    assert response.status_code == 405


async def test_a_subscription_without_a_stream_is_refused(client: Client) -> None:
    for accept in (GRAPHQL, JSON, "*/*"):
        response = await client.post("subscription { count }", accept=accept)
        assert response.status_code == 406
        assert STREAM in response.json()["errors"][0]["message"]


async def test_two_operations_without_a_name_are_refused(client: Client) -> None:
    response = await client.post("query A { hello } query B { later }")
    assert (response.status_code, code_of(response)) == (400, "BAD_USER_INPUT")


async def test_partial_success_is_a_200_in_both_types(client: Client) -> None:
    for accept in (GRAPHQL, JSON):
        assert (await client.post("{ hello missing }", accept=accept)).status_code == 200


async def test_a_cookie_is_set_for_scripts_to_never_see() -> None:
    async with client_for(GraphQLSettings(secure_cookies=True)) as client:
        response = await client.post("mutation { signIn }")
    cookie = response.headers["set-cookie"].lower()
    assert cookie.startswith("counterfoil_session=s3cret;")
    for attribute in ("httponly", "samesite=lax", "secure", "path=/", "max-age=3600"):
        assert attribute in cookie


async def test_a_cookie_is_deleted_by_age_zero(client: Client) -> None:
    response = await client.post("mutation { signOut }")
    assert "max-age=0" in response.headers["set-cookie"].lower()


async def test_the_session_cookie_and_the_token_reach_the_context(client: Client) -> None:
    client.http.cookies.set("counterfoil_session", "s3cret")
    assert (await client.post("{ viewer }")).json() == {"data": {"viewer": "ada"}}
    assert client.contexts.made[-1].request.session_cookie == "s3cret"
    await client.post("{ viewer }", headers={"authorization": "bearer  good-token "})
    assert client.contexts.made[-1].request.bearer_token == "good-token"
    await client.post("{ viewer }", headers={"authorization": "Basic Zm9v"})
    assert client.contexts.made[-1].request.bearer_token is None


async def test_a_request_from_a_web_page_is_known_as_one(client: Client) -> None:
    await client.post("{ hello }")
    assert not client.contexts.made[-1].request.is_browser
    for headers in ({"origin": "http://testserver"}, {"sec-fetch-site": "none"}):
        await client.post("{ hello }", headers=headers)
        assert client.contexts.made[-1].request.is_browser


@pytest.mark.parametrize(
    ("trusted", "forwarded", "address"),
    [
        ((), "198.51.100.1", "127.0.0.1"),
        (("127.0.0.0/8",), "198.51.100.1", "198.51.100.1"),
        (("127.0.0.0/8",), "10.9.9.9, 198.51.100.1", "198.51.100.1"),
        (("127.0.0.0/8", "10.0.0.0/8"), "198.51.100.1, 10.1.1.1", "198.51.100.1"),
        (("127.0.0.0/8",), "", "127.0.0.1"),
    ],
)
async def test_a_forwarded_address_counts_only_behind_a_trusted_proxy(
    trusted: tuple[str, ...], forwarded: str, address: str
) -> None:
    settings = GraphQLSettings(trusted_proxies=tuple(ip_network(network) for network in trusted))
    async with client_for(settings) as client:
        response = await client.post("{ address }", headers={"x-forwarded-for": forwarded})
    assert response.json()["data"]["address"] == address


async def test_every_operation_gets_a_fresh_context(client: Client) -> None:
    await client.post("{ hello }")
    await client.post("{ hello }")
    first, second = client.contexts.made
    assert first is not second
    assert first.request.request_id != second.request.request_id
