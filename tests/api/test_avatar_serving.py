"""How avatars are served, and the whole way over a real connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from tests.support.avatars import REMOVE, UPLOAD, AvatarApi, AvatarHolder, digest_of, get, upload_as_a_program
from tests.support.client import eventually
from tests.support.multipart import CONTENT_TYPE, PREFLIGHT
from tests.support.pictures import corners, decoded, encoded, quadrants
from tests.support.running_backend import RunningBackend

PICTURE = encoded(quadrants())
SEE_THROUGH = encoded(quadrants(mode="RGBA").rotate(45, expand=True), "PNG")


@pytest_asyncio.fixture
async def url(holder: AvatarHolder) -> AsyncGenerator[str]:
    """Where an avatar is read."""
    yield await holder.upload(PICTURE)


async def test_an_avatar_may_be_kept_for_a_year_and_shown_on_any_page(holder: AvatarHolder, url: str) -> None:
    headers = (await get(holder.client.http, url)).headers
    assert headers["cache-control"] == "public, max-age=31536000, immutable"
    assert headers["cross-origin-resource-policy"] == "cross-origin"
    assert headers["content-type"] == "image/jpeg"
    assert "set-cookie" not in headers


async def test_an_avatar_can_be_taken_for_nothing_but_a_picture(holder: AvatarHolder, url: str) -> None:
    headers = (await get(holder.client.http, url)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'; sandbox"


async def test_a_see_through_avatar_is_a_png(holder: AvatarHolder) -> None:
    response = await get(holder.client.http, await holder.upload(SEE_THROUGH))
    assert (response.headers["content-type"], decoded(response.content).format) == ("image/png", "PNG")


async def test_who_has_an_avatar_is_not_sent_it_again(holder: AvatarHolder, url: str) -> None:
    first = await get(holder.client.http, url)
    etag = first.headers["etag"]
    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = await get(holder.client.http, url, **{"if-none-match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
        assert again.headers["cache-control"] == first.headers["cache-control"]
    assert (await get(holder.client.http, url, **{"if-none-match": '"other"'})).status_code == 200


async def test_each_size_has_an_etag_of_its_own(holder: AvatarHolder, url: str) -> None:
    other = await holder.url(512)
    assert other is not None
    etag = (await get(holder.client.http, url)).headers["etag"]
    assert (await get(holder.client.http, other, **{"if-none-match": etag})).status_code == 200


async def test_head_tells_what_get_would_send(holder: AvatarHolder, url: str) -> None:
    path = urlsplit(url).path
    got, headed = await holder.client.http.get(path), await holder.client.http.head(path)
    assert headed.status_code == 200
    for name in ("content-type", "content-length", "etag", "cache-control"):
        assert headed.headers[name] == got.headers[name]


async def test_other_methods_are_not_allowed(holder: AvatarHolder, url: str) -> None:
    for method in ("POST", "PUT", "DELETE"):
        assert (await holder.client.http.request(method, urlsplit(url).path)).status_code == 405


@pytest.mark.parametrize(
    "path",
    [
        *("/avatars", "/avatars/", "/avatars/{digest}", "/avatars/{digest}/", "/avatars/{digest}/master"),
        *("/avatars/{digest}/127", "/avatars/{digest}/0", "/avatars/{digest}/0128", "/avatars/{digest}/-128"),
        *("/avatars/{digest}/128.0", "/avatars/{digest}/%D9%A1%D9%A2%D9%A8", "/avatars/{digest}/" + "9" * 5_000),
        *("/avatars/{digest}x/128", "/avatars/{upper}/128", "/avatars/{other}/128", "/avatars/../128"),
        *(
            "/avatars/%2e%2e/128",
            "/avatars/{digest}%2f..%2f{digest}/128",
            "/avatars/%00/128",
            "/avatars/{digest}/128/x",
        ),
        *("/avatars/{digest}/128%23", "/avatars/{digest}/%20128", "/avatars/{digest}/1_2_8", "/avatars/{digest}/NaN"),
    ],
)
async def test_what_is_no_avatar_is_a_404_in_json(holder: AvatarHolder, url: str, path: str) -> None:
    digest = digest_of(url)
    path = path.format(digest=digest, upper=digest.upper(), other="0" * 64)
    response = await holder.client.http.get(path)
    assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (404, "NOT_FOUND")
    assert response.headers["cache-control"] == "no-store"


async def test_a_size_is_kept_once_it_was_asked_for(avatar_api: AvatarApi, holder: AvatarHolder, url: str) -> None:
    folder = avatar_api.folder / "avatars" / digest_of(url)
    assert {path.name for path in folder.iterdir()} == {"master"}
    first = await get(holder.client.http, url)
    assert {path.name for path in folder.iterdir()} == {"master", "128"}
    assert (folder / "128").read_bytes() == first.content

    (folder / "128").write_bytes(b"kept")
    assert (await get(holder.client.http, url)).content == b"kept"


# ------------------------------------------------------------------ over a real connection


async def test_an_avatar_is_uploaded_shown_and_removed_for_good(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    url = await upload_as_a_program(backend, person, PICTURE)
    assert url.startswith(f"{backend.api.url}/avatars/")
    shown = await backend.api.http.get(url)
    assert corners(decoded(shown.content)) == ["red", "green", "blue", "white"]
    headed = await backend.api.http.head(url)
    assert (headed.content, headed.headers["content-length"]) == (b"", str(len(shown.content)))

    await backend.api.query(REMOVE, token=person.token)

    async def gone() -> bool:
        return (await backend.api.http.get(url)).status_code == 404

    await eventually(gone)


async def test_a_socket_carries_no_files(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    async with backend.api.socket(person.token) as socket:
        for number, value in enumerate((None, "a text", {"filename": "x"})):
            payload = {"query": UPLOAD, "variables": {"input": {"file": value}}}
            await socket.send(id=str(number), type="subscribe", payload=payload)
            message = await socket.receive()
            assert message["type"] == "error", message
            assert message["payload"][0]["extensions"]["code"] == "BAD_USER_INPUT"


@pytest.mark.parametrize("credentials", ["", "Authorization: Bearer nonsense\r\n"])
async def test_nobody_gets_to_send_a_file_without_signing_in(backend: RunningBackend, credentials: str) -> None:
    """The answer comes, and the connection ends, though not one byte of the body was sent."""
    address = urlsplit(backend.api.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(
        f"POST /graphql HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: {CONTENT_TYPE}\r\n{PREFLIGHT}: 1\r\n"
        f"{credentials}Content-Length: 20000000\r\n\r\n".encode()
    )
    answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 401")
    assert b"UNAUTHENTICATED" in answer
