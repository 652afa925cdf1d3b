"""Avatars through the API: uploading, and reading what came of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson

from app.accounts.avatars.stored_images import AvatarImages
from app.accounts.avatars.user_avatars import erase_leftovers
from app.db.engine import Database
from app.object_storage import open_storage
from tests.support import running_backend
from tests.support.accounts import Person, at_later, new_person
from tests.support.api import Api, Client, running_api
from tests.support.multipart import CONTENT_TYPE, PREFLIGHT, upload_body
from tests.support.running_backend import RunningBackend

SHOWN = "{ viewer { avatar { url initials } } }"
REMOVE = "mutation { removeAvatar { user { avatar { url initials } } userErrors { code message } } }"
UPLOAD = """mutation ($input: UploadAvatarInput!) {
  uploadAvatar(input: $input) { user { handle avatar { url initials } } userErrors { code message path } }
}"""


@dataclass(slots=True)
class AvatarHolder:
    """Somebody who is signed in as a program, and what they do with their avatar."""

    person: Person
    client: Client

    async def send(self, data: bytes, *, filename: str = "a file.png", media_type: str = "image/png") -> httpx.Response:
        """The response to an upload."""
        body = upload_body(
            UPLOAD,
            data,
            variables={"input": {"file": None}},
            path="variables.input.file",
            filename=filename,
            media_type=media_type,
        )
        headers = {**self.client.headers, PREFLIGHT: "1", "content-type": CONTENT_TYPE}
        return await self.client.http.post("/graphql", content=body, headers=headers)

    async def upload(self, data: bytes, **more: str) -> str:
        """The address of the avatar after an upload that must succeed."""
        answer = (await self.send(data, **more)).json()
        assert "errors" not in answer, answer
        payload = answer["data"]["uploadAvatar"]
        assert payload["userErrors"] == []
        return payload["user"]["avatar"]["url"]

    async def refused(self, data: bytes, **more: str) -> dict[str, Any]:
        """The user error of an upload that is refused."""
        response = await self.send(data, **more)
        answer = response.json()
        assert (response.status_code, "errors" in answer) == (200, False), answer
        payload = answer["data"]["uploadAvatar"]
        assert payload["user"] is None
        [error] = payload["userErrors"]
        assert error["path"] == ["input", "file"]
        return error

    async def url(self, size: int | None = None) -> str | None:
        """Where the avatar is read now."""
        query = f"{{ viewer {{ avatar {{ url{f'(size: {size})' if size is not None else ''} }} }} }}"
        return (await self.client.run(query))["viewer"]["avatar"]["url"]

    async def picture(self, size: int = 1024) -> bytes:
        """The avatar as anyone reads it, without credentials."""
        url = await self.url(size)
        assert url is not None
        return (await get(self.client.http, url)).content


async def get(http: httpx.AsyncClient, url: str, **headers: str) -> httpx.Response:
    """What anyone gets at an address of the API, whatever host it names."""
    return await http.get(httpx.URL(url).raw_path.decode(), headers=headers)


@dataclass(slots=True)
class AvatarApi:
    """A running API whose object storage is a folder that tests can read."""

    api: Api
    folder: Path

    @property
    def database(self) -> Database:
        return self.api.database

    @asynccontextmanager
    async def someone(self) -> AsyncGenerator[AvatarHolder]:
        """Someone new."""
        person = await new_person(self.database)
        async with self.api.program(person.token) as client:
            yield AvatarHolder(person, client)

    def images(self) -> AvatarImages:
        """The same storage as another process opens it."""
        return AvatarImages(open_storage(self.folder.as_uri(), {}))

    def kept(self) -> set[str]:
        """The names of the avatars in the storage."""
        return {path.name for path in (self.folder / "avatars").glob("*")}

    async def erase_due(self, later: Any = None) -> int:
        """Do what the worker does, now or when so much more time has passed."""
        database = self.database if later is None else at_later(self.database, later)
        return await erase_leftovers(database, self.images(), limit=100)


@asynccontextmanager
async def running_avatar_api(database_url: str, folder: Path, **settings: object) -> AsyncGenerator[AvatarApi]:
    """The API over a migrated database, with a folder as its storage unless `settings` say otherwise."""
    async with running_api(database_url, **{"storage_url": folder.as_uri(), **settings}) as api:
        yield AvatarApi(api, folder)


async def upload_as_a_program(backend: RunningBackend, person: running_backend.Person, picture: bytes) -> str:
    """The address of an avatar that a stock HTTP client uploads over a real connection."""
    operations = {"query": UPLOAD, "variables": {"input": {"file": None}}}
    sent = await backend.api.http.post(
        f"{backend.api.url}/graphql",
        data={"operations": orjson.dumps(operations).decode(), "map": '{"0": ["variables.input.file"]}'},
        files={"0": ("me.jpg", picture, "image/jpeg")},
        headers={"authorization": f"Bearer {person.token}", PREFLIGHT: "1"},
    )
    payload = sent.json()["data"]["uploadAvatar"]
    assert payload["userErrors"] == []
    return payload["user"]["avatar"]["url"]


def digest_of(url: str) -> str:
    """The name of the avatar that an address leads to."""
    return url.split("/")[-2]
