"""What every answer has, whatever happened."""

from __future__ import annotations

import httpx
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from structlog.testing import capture_logs

from app.asgi.middleware import JsonErrorsMiddleware, RequestIdMiddleware, SecurityHeadersMiddleware, http_error
from tests.asgi.conftest import Client


async def fail(_request: Request) -> Response:
    raise RuntimeError("secret of ada@example.com")


async def fail_halfway(_request: Request) -> Response:
    async def content():
        yield b"half"
        raise RuntimeError("secret of ada@example.com")

    return StreamingResponse(content())


async def cached(_request: Request) -> Response:
    return Response("ok", headers={"cache-control": "public, max-age=60", "server": "Apache"})


def client(*, https: bool = False) -> httpx.AsyncClient:
    app = Starlette(
        routes=[Route("/fail", fail), Route("/half", fail_halfway), Route("/cached", cached)],
        middleware=[
            Middleware(RequestIdMiddleware),
            Middleware(SecurityHeadersMiddleware, https=https),
            Middleware(JsonErrorsMiddleware),
        ],
        exception_handlers={HTTPException: http_error},
    )
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver")


async def test_a_bug_is_a_500_in_json_logged_once_without_its_message() -> None:
    with capture_logs() as logs:
        async with client() as http:
            response = await http.get("/fail")
    assert response.status_code == 500
    assert response.json()["errors"][0]["extensions"] == {
        "code": "INTERNAL",
        "requestId": response.headers["x-request-id"],
    }
    assert "ada@example.com" not in response.text + str(logs)
    assert [line["error"] for line in logs] == ["RuntimeError"]


async def test_a_bug_halfway_breaks_the_answer_off() -> None:
    async with client() as http:
        with pytest.raises(RuntimeError):
            await http.get("/half")


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("POST", "/cached", 405)])
async def test_routing_errors_are_json(method: str, path: str, status: int) -> None:
    async with client() as http:
        response = await http.request(method, path)
    assert response.status_code == status
    assert response.json()["errors"][0]["extensions"]["code"]
    assert status == 404 or response.headers["allow"]


async def test_every_answer_has_the_security_headers() -> None:
    async with client(https=True) as http:
        for path in ("/cached", "/nowhere", "/fail"):
            headers = (await http.get(path)).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"
            assert "frame-ancestors 'none'" in headers["content-security-policy"]
            assert headers["strict-transport-security"]
            assert "server" not in headers


async def test_nothing_is_cached_unless_it_says_so() -> None:
    async with client() as http:
        assert (await http.get("/cached")).headers["cache-control"] == "public, max-age=60"
        assert (await http.get("/nowhere")).headers["cache-control"] == "no-store"


async def test_answers_of_the_api_are_never_cached(client: Client) -> None:
    assert (await client.post("{ hello }")).headers["cache-control"] == "no-store"
    assert (await client.get(query="{ hello }")).headers["cache-control"] == "no-store"


async def test_a_request_id_is_taken_over_if_it_is_well_formed() -> None:
    async with client() as http:
        for given, kept in (("abc-12345678", True), ("short", False), ("a" * 65, False), ("bad id\ttab1", False)):
            response = await http.get("/cached", headers={"x-request-id": given})
            assert (response.headers["x-request-id"] == given) is kept
            assert len(response.headers["x-request-id"]) >= 8
