"""What deleting an account leaves in the storage: nothing of the person, whatever was there and whenever it came."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest_asyncio

from tests.flows.deletion.steps import delete_account
from tests.support.avatars import upload_as_a_program
from tests.support.client import eventually
from tests.support.pictures import encoded, quadrants
from tests.support.running_backend import Person, RunningBackend, running_backend

_SIZED = "query ($size: Int) { viewer { avatar { url(size: $size) } } }"


@pytest_asyncio.fixture
async def stored(server_url: str, tmp_path: Path) -> AsyncGenerator[RunningBackend]:
    """A house that keeps pictures in a folder that can be looked into."""
    async with running_backend(server_url, "analytics", storage_url=(tmp_path / "objects").as_uri()) as backend:
        yield backend


def _kept(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


async def _seen_in_sizes(backend: RunningBackend, person: Person) -> list[str]:
    """The addresses of the avatar in three sizes, each of which was asked for."""
    urls: list[str] = []
    for size in (32, 256, 1024):
        answer = await backend.api.query(_SIZED, {"size": size}, token=person.token)
        urls.append(answer["viewer"]["avatar"]["url"])
        assert (await backend.api.http.get(urls[-1])).status_code == 200
    return urls


async def test_after_deletion_nothing_of_the_person_is_in_the_storage(stored: RunningBackend, tmp_path: Path) -> None:
    backend, folder = stored, tmp_path / "objects"
    person, other = await backend.sign_up(), await backend.sign_up()
    await upload_as_a_program(backend, other, encoded(quadrants()))
    of_others = await eventually(lambda: asyncio.to_thread(_kept, folder))
    await upload_as_a_program(backend, person, encoded(quadrants(width=800, height=600)))
    before = await _seen_in_sizes(backend, person)
    await upload_as_a_program(backend, person, encoded(quadrants(width=640, height=640)))
    after = await _seen_in_sizes(backend, person)
    assert _kept(folder) > of_others

    assert await delete_account(backend, person) == []

    await eventually(lambda: asyncio.to_thread(lambda: _kept(folder) == of_others))
    for url in (*before, *after):
        assert (await backend.api.http.get(url)).status_code == 404
    # whoever asks for an address they still have brings nothing back
    assert _kept(folder) == of_others


async def test_what_is_asked_for_while_it_is_erased_does_not_come_back(stored: RunningBackend, tmp_path: Path) -> None:
    backend, folder = stored, tmp_path / "objects"
    person = await backend.sign_up()
    url = await upload_as_a_program(backend, person, encoded(quadrants(width=1500, height=1500)))
    start = url.rsplit("/", 1)[0]
    going_on = True

    async def ask(size: int) -> None:
        while going_on:
            await backend.api.http.get(f"{start}/{size}")

    asking = [asyncio.create_task(ask(size)) for size in (32, 64, 128, 256, 512, 1024)]

    assert await delete_account(backend, person) == []
    await eventually(lambda: asyncio.to_thread(lambda: _kept(folder) == set()))

    going_on = False
    await asyncio.gather(*asking)
    assert _kept(folder) == set()
