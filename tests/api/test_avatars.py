"""Avatars through the API: whose they are, where they are read, and what is refused and changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio

from app.accounts.access.api_keys import create_service_key
from app.accounts.access.permissions import ApiScope
from app.db.engine import Database
from app.db.unit_of_work import transact
from tests.support.api import ORIGIN
from tests.support.avatars import REMOVE, SHOWN, UPLOAD, AvatarApi, AvatarHolder, digest_of, get, running_avatar_api
from tests.support.multipart import CONTENT_TYPE, PREFLIGHT, upload_body
from tests.support.pictures import BLUE, GREEN, RED, corners, decoded, encoded, quadrants
from tests.support.s3 import BUCKET, S3Server, s3_server

PICTURE = encoded(quadrants())
BODY = upload_body(UPLOAD, PICTURE, variables={"input": {"file": None}}, path="variables.input.file")


def plain(colour: tuple[int, int, int]) -> bytes:
    picture = quadrants()
    picture.paste(colour, (0, 0, 80, 80))
    return encoded(picture)


async def test_without_an_image_initials_stand_in(holder: AvatarHolder) -> None:
    shown = (await holder.client.run(SHOWN))["viewer"]["avatar"]
    assert (shown["url"], len(shown["initials"])) == (None, 2)


async def test_an_uploaded_picture_is_read_at_its_address_by_anyone(
    avatar_api: AvatarApi, holder: AvatarHolder
) -> None:
    url = await holder.upload(PICTURE)
    assert url == await holder.url()
    assert url.startswith("http://127.0.0.1:8000/avatars/")
    assert url.endswith("/128")
    async with avatar_api.api.program() as anyone:
        response = await get(anyone.http, url)
    assert response.status_code == 200
    assert corners(decoded(response.content)) == ["red", "green", "blue", "white"]


@pytest.mark.parametrize(
    ("asked", "given"),
    [(1, 32), (32, 32), (33, 64), (64, 64), (100, 128), (129, 256), (500, 512), (513, 1024), (1024, 1024), (None, 128)],
)
async def test_the_size_asked_for_is_rounded_up(holder: AvatarHolder, asked: int | None, given: int) -> None:
    await holder.upload(encoded(quadrants(1100, 1100)))
    data = await holder.client.run("query ($size: Int) { viewer { avatar { url(size: $size) } } }", size=asked)
    url = data["viewer"]["avatar"]["url"]
    assert url.endswith(f"/{given}")
    assert decoded((await get(holder.client.http, url)).content).size == (given, given)


@pytest.mark.parametrize("size", [0, -1, 1025, 2**31 - 1])
async def test_a_size_that_there_is_not_is_a_bad_argument(holder: AvatarHolder, size: int) -> None:
    await holder.upload(PICTURE)
    answer = (await holder.client.send(f"{{ viewer {{ handle avatar {{ url(size: {size}) }} }} }}")).json()
    [error] = answer["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert error["message"] == "size must be between 1 and 1024."
    assert answer["data"]["viewer"]["avatar"]["url"] is None


async def test_a_small_picture_comes_as_large_as_it_is(holder: AvatarHolder) -> None:
    await holder.upload(encoded(quadrants(100, 100)))
    assert decoded(await holder.picture(64)).size == (64, 64)
    assert decoded(await holder.picture(512)).size == (100, 100)


async def test_a_new_picture_takes_the_place_of_the_one_before_at_a_new_address(
    avatar_api: AvatarApi, holder: AvatarHolder
) -> None:
    old = await holder.upload(plain(RED))
    assert (await get(holder.client.http, old)).status_code == 200
    new = await holder.upload(plain(BLUE))
    assert old != new
    assert corners(decoded(await holder.picture())) == ["blue"] * 4

    assert await avatar_api.erase_due() >= 1
    assert (await get(holder.client.http, old)).status_code == 404
    assert (await get(holder.client.http, new)).status_code == 200
    assert digest_of(old) not in avatar_api.kept()


async def test_a_removed_picture_is_gone_and_initials_stand_in(avatar_api: AvatarApi, holder: AvatarHolder) -> None:
    url = await holder.upload(PICTURE)
    removed = (await holder.client.run(REMOVE))["removeAvatar"]
    assert (removed["userErrors"], removed["user"]["avatar"]["url"]) == ([], None)
    assert len(removed["user"]["avatar"]["initials"]) == 2
    await avatar_api.erase_due()
    assert (await get(holder.client.http, url)).status_code == 404
    assert digest_of(url) not in avatar_api.kept()

    again = (await holder.client.run(REMOVE))["removeAvatar"]
    assert (again["userErrors"], again["user"]["avatar"]["url"]) == ([], None)


async def test_equal_pictures_of_two_people_share_nothing(avatar_api: AvatarApi, holder: AvatarHolder) -> None:
    async with avatar_api.someone() as other:
        mine, theirs = await holder.upload(PICTURE), await other.upload(PICTURE)
        again = await holder.upload(PICTURE)
        assert len({mine, theirs, again}) == 3
        await holder.client.run(REMOVE)
        await avatar_api.erase_due()
        assert await other.url() == theirs
        assert (await get(other.client.http, theirs)).status_code == 200


async def test_a_refused_picture_leaves_the_one_before(avatar_api: AvatarApi, holder: AvatarHolder) -> None:
    url = await holder.upload(PICTURE)
    for data in (b"GIF89a", PICTURE[:500], PICTURE.ljust(20_000_001, b"\0")):
        await holder.refused(data)
    assert await holder.url() == url
    assert (await get(holder.client.http, url)).status_code == 200


# ------------------------------------------------------------------ who may


async def _upload_as(avatar_api: AvatarApi, token: str | None) -> tuple[int, dict[str, Any]]:
    async with avatar_api.api.program(token) as client:
        headers = {**client.headers, PREFLIGHT: "1", "content-type": CONTENT_TYPE}
        response = await client.http.post("/graphql", content=BODY, headers=headers)
    return response.status_code, response.json()


async def test_nobody_uploads_or_removes_without_signing_in(avatar_api: AvatarApi) -> None:
    before = avatar_api.kept()
    status, answer = await _upload_as(avatar_api, None)
    assert (status, answer["errors"][0]["extensions"]["code"]) == (401, "UNAUTHENTICATED")
    async with avatar_api.api.program() as client:
        assert (await client.refused(REMOVE))["code"] == "UNAUTHENTICATED"
    assert avatar_api.kept() == before


async def test_a_key_has_no_avatar(avatar_api: AvatarApi) -> None:
    before = avatar_api.kept()
    scopes = list(ApiScope)
    token = await transact(avatar_api.database, lambda session: create_service_key(session, "a test", scopes))
    _, answer = await _upload_as(avatar_api, token[1])
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    async with avatar_api.api.program(token[1]) as client:
        assert (await client.refused(REMOVE))["code"] == "FORBIDDEN"
    assert avatar_api.kept() == before


async def test_an_ended_session_uploads_nothing(avatar_api: AvatarApi, holder: AvatarHolder) -> None:
    before = avatar_api.kept()
    await holder.client.run("mutation { signOut { isSignedOut } }")
    response = await holder.send(PICTURE)
    assert response.status_code == 401
    assert avatar_api.kept() == before


async def test_a_session_that_ends_while_a_file_arrives_uploads_nothing(
    avatar_api: AvatarApi, holder: AvatarHolder
) -> None:
    before = avatar_api.kept()

    async def body() -> AsyncGenerator[bytes]:
        yield BODY[:1000]
        await holder.client.run("mutation { signOut { isSignedOut } }")
        yield BODY[1000:]

    headers = {**holder.client.headers, PREFLIGHT: "1", "content-type": CONTENT_TYPE}
    answer = (await holder.client.http.post("/graphql", content=body(), headers=headers)).json()
    assert answer["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    assert avatar_api.kept() == before


CROSS_SITE = {
    "a form with a file": ({"content-type": CONTENT_TYPE}, BODY),
    "a form with a file of this host": ({"content-type": CONTENT_TYPE, "origin": ORIGIN}, BODY),
    "a foreign page with the header": (
        {"content-type": CONTENT_TYPE, PREFLIGHT: "1", "origin": "https://evil.example"},
        BODY,
    ),
    "a foreign page in a frame": ({"content-type": CONTENT_TYPE, PREFLIGHT: "1", "origin": "null"}, BODY),
    "a form of text": ({"content-type": "text/plain"}, orjson.dumps({"query": REMOVE})),
    "a form of text with the header": ({"content-type": "text/plain", PREFLIGHT: "1"}, orjson.dumps({"query": REMOVE})),
    "a plain form": (
        {"content-type": "application/x-www-form-urlencoded"},
        b"query=mutation{removeAvatar{userErrors{code}}}",
    ),
    "a file called a form": ({"content-type": "application/x-www-form-urlencoded", PREFLIGHT: "1"}, BODY),
    "a file called JSON": ({"content-type": "application/json"}, BODY),
}


@pytest.mark.parametrize(("headers", "body"), CROSS_SITE.values(), ids=CROSS_SITE.keys())
async def test_another_site_changes_nothing_with_a_victims_cookie(
    avatar_api: AvatarApi, holder: AvatarHolder, headers: dict[str, str], body: bytes
) -> None:
    url, before = await holder.upload(plain(GREEN)), avatar_api.kept()
    cookie = {"cookie": f"counterfoil_session={holder.person.token}"}
    async with avatar_api.api.program() as victim:
        response = await victim.http.post("/graphql", content=body, headers={**cookie, **headers})
    assert response.status_code in (400, 403, 415)
    assert response.json()["errors"]
    assert await holder.url() == url
    assert avatar_api.kept() == before


async def test_a_page_of_our_own_uploads_with_its_cookie(avatar_api: AvatarApi, holder: AvatarHolder) -> None:
    headers = {"cookie": f"counterfoil_session={holder.person.token}", "origin": ORIGIN, "content-type": CONTENT_TYPE}
    async with avatar_api.api.program() as page:
        response = await page.http.post("/graphql", content=BODY, headers={**headers, "x-requested-with": "fetch"})
    assert response.json()["data"]["uploadAvatar"]["userErrors"] == []
    assert await holder.url() is not None


async def test_json_can_not_stand_for_a_file(holder: AvatarHolder) -> None:
    for value in ("a text", None, 1, {"file": "x"}):
        assert (await holder.client.refused(UPLOAD, input={"file": value}))["code"] == "BAD_USER_INPUT"
    assert await holder.url() is None


async def test_one_person_may_upload_twenty_times_an_hour(database: Database, tmp_path: Path) -> None:
    url = database.engine.url.set(drivername="postgresql").render_as_string(False)
    async with running_avatar_api(url, tmp_path, rate_limits="on") as avatar_api, avatar_api.someone() as holder:
        shown = await holder.upload(PICTURE)
        # what is no picture by its first bytes does not count, and what has to be decoded to find out does
        await holder.refused(b"")
        for _ in range(19):
            await holder.refused(PICTURE[: len(PICTURE) // 2])
        answer = (await holder.send(PICTURE)).json()
        [error] = answer["errors"]
        assert error["extensions"]["code"] == "RATE_LIMITED"
        assert 3000 < error["extensions"]["retryAfterSeconds"] <= 3600
        assert await holder.url() == shown
        assert len(avatar_api.kept()) == 1
        async with avatar_api.someone() as other:
            assert await other.upload(PICTURE)


# ------------------------------------------------------------------ several at once


async def test_many_uploads_at_once_leave_one_avatar_and_nothing_beside_it(database: Database, tmp_path: Path) -> None:
    url = database.engine.url.set(drivername="postgresql").render_as_string(False)
    async with running_avatar_api(url, tmp_path, rate_limits="off") as avatar_api, avatar_api.someone() as holder:
        for _ in range(3):
            sent = await asyncio.gather(*(holder.upload(plain(colour)) for colour in (RED, GREEN, BLUE, RED)))
            shown = await holder.url()
            assert shown in sent
            await avatar_api.erase_due()
            assert avatar_api.kept() == {digest_of(shown or "")}
            assert (await get(holder.client.http, shown or "")).status_code == 200


async def test_uploading_and_removing_at_once_leaves_one_or_none(database: Database, tmp_path: Path) -> None:
    url = database.engine.url.set(drivername="postgresql").render_as_string(False)
    async with running_avatar_api(url, tmp_path, rate_limits="off") as avatar_api, avatar_api.someone() as holder:
        for _ in range(5):
            await asyncio.gather(holder.upload(PICTURE), holder.client.run(REMOVE), holder.upload(PICTURE))
            shown = await holder.url()
            await avatar_api.erase_due()
            assert avatar_api.kept() == ({digest_of(shown)} if shown is not None else set())


# ------------------------------------------------------------------ a storage that fails


@pytest_asyncio.fixture
async def s3() -> AsyncGenerator[S3Server]:
    """An S3 with an empty bucket."""
    async with s3_server() as server:
        yield server


async def test_a_storage_that_fails_changes_nothing_and_nothing_is_left_of_it(database: Database, s3: S3Server) -> None:
    url = database.engine.url.set(drivername="postgresql").render_as_string(False)
    settings = {
        "aws_access_key_id": s3.key,
        "aws_secret_access_key": s3.secret,
        "aws_default_region": "eu-test-1",
        "aws_endpoint_url": s3.options["aws_endpoint"],
        "storage_url": f"s3://{BUCKET}/counterfoil",
    }
    async with running_avatar_api(url, Path("/nowhere"), **settings) as avatar_api, avatar_api.someone() as holder:
        shown = await holder.upload(PICTURE)
        assert corners(decoded(await holder.picture())) == ["red", "green", "blue", "white"]
        before = dict(s3.objects)
        assert {key.split("/")[2] for key in before} == {digest_of(shown)}

        s3.failing = 503
        answer = (await holder.send(plain(RED))).json()
        assert answer["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
        unread = await get(holder.client.http, shown)
        assert (unread.status_code, unread.json()["errors"][0]["extensions"]["code"]) == (503, "UNAVAILABLE")
        assert unread.headers["cache-control"] == "no-store"
        assert await holder.url() == shown

        s3.failing = None
        assert (await get(holder.client.http, shown)).status_code == 200
        s3.rotate()
        assert (await holder.send(plain(RED))).json()["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
        assert await holder.url() == shown
        assert {key.split("/")[2] for key in s3.objects} == {digest_of(shown)}
