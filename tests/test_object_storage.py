"""Objects are kept, read, listed and deleted alike in a folder, in memory and in S3, and every failure is one kind of failure."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Literal

import pytest
import pytest_asyncio

from app.asgi.outage_errors import classify
from app.errors import Unavailable
from app.object_storage import Storage, StorageMisconfigured, StorageUnavailable, open_storage
from tests.support.s3 import BUCKET, S3Server, s3_server

PICTURE = bytes(range(256)) * 1000


@pytest_asyncio.fixture
async def s3() -> AsyncGenerator[S3Server]:
    """An S3 with an empty bucket."""
    async with s3_server() as server:
        yield server


def in_s3(s3: S3Server, *, prefix: str = "/counterfoil", call_seconds: float = 6) -> Storage:
    return open_storage(f"s3://{BUCKET}{prefix}", s3.options, call_seconds=call_seconds)


@pytest.fixture(params=["folder", "memory", "s3", "s3 without a prefix"])
def storage(request: pytest.FixtureRequest, tmp_path: Path, s3: S3Server) -> Storage:
    """An empty storage of each kind."""
    match request.param:
        case "folder":
            return open_storage((tmp_path / "a folder of 100 %").as_uri(), {})
        case "memory":
            return open_storage("memory:///", {})
        case "s3":
            return in_s3(s3)
        case _:
            return in_s3(s3, prefix="")


async def test_what_is_put_is_there_until_it_is_deleted(storage: Storage) -> None:
    assert await storage.get("avatars/1/master") is None
    assert not await storage.has("avatars/1/master")

    await storage.put("avatars/1/master", PICTURE)
    assert await storage.get("avatars/1/master") == PICTURE
    assert await storage.has("avatars/1/master")

    await storage.delete("avatars/1/master")
    assert await storage.get("avatars/1/master") is None
    assert not await storage.has("avatars/1/master")


async def test_what_is_put_again_takes_the_place_of_what_was_there(storage: Storage) -> None:
    await storage.put("key", b"one")
    await storage.put("key", b"two")
    assert await storage.get("key") == b"two"


async def test_an_empty_object_is_one(storage: Storage) -> None:
    await storage.put("empty", b"")
    assert await storage.get("empty") == b""


async def test_a_folder_lists_all_that_is_within_and_nothing_beside_it(storage: Storage) -> None:
    within = {f"avatars/1/{name}" for name in ("master", "32", "64", "128", "a/b")}
    for key in (*within, "avatars/10/master", "avatars/2/master", "other"):
        await storage.put(key, b"x")

    assert set(await storage.keys("avatars/1")) == within
    assert await storage.keys("nothing") == []


async def test_deleting_what_is_not_there_is_no_failure(storage: Storage) -> None:
    await storage.delete("avatars/1/master")


async def test_many_writers_of_one_object_leave_one_of_theirs(storage: Storage) -> None:
    written = [bytes([number]) * 50_000 for number in range(20)]
    await asyncio.gather(*(storage.put("key", data) for data in written))
    assert await storage.get("key") in written


async def test_a_storage_in_a_folder_is_there_after_a_restart(tmp_path: Path) -> None:
    url = (tmp_path / "objects").as_uri()
    await open_storage(url, {}).put("avatars/1/master", PICTURE)
    assert await open_storage(url, {}).get("avatars/1/master") == PICTURE


async def _each_call(storage: Storage) -> list[BaseException | object]:
    calls = (storage.put("key", b"x"), storage.get("key"), storage.has("key"), storage.keys("a"), storage.delete("key"))
    return [(await asyncio.gather(call, return_exceptions=True))[0] for call in calls]


@pytest.mark.parametrize("failing", [500, 503, 403, 429, "silent"])
async def test_a_storage_that_fails_is_unavailable_and_works_when_it_is_back(
    s3: S3Server, failing: int | Literal["silent"]
) -> None:
    storage = in_s3(s3, call_seconds=0.2)
    await storage.put("kept", b"x")
    s3.failing = failing
    assert [type(outcome) for outcome in await _each_call(storage)] == [StorageUnavailable] * 5

    s3.failing = None
    assert await in_s3(s3).get("kept") == b"x"
    assert s3.objects.keys() == {"counterfoil/kept"}


async def test_a_storage_that_does_not_answer_at_all_is_unavailable() -> None:
    async with s3_server() as s3:
        gone = in_s3(s3, call_seconds=0.2)
    assert [type(outcome) for outcome in await _each_call(gone)] == [StorageUnavailable] * 5


async def test_a_failure_that_passes_is_not_noticed(s3: S3Server) -> None:
    storage = in_s3(s3)
    s3.failing, s3.failures = 503, 2
    await storage.put("key", b"x")
    assert await storage.get("key") == b"x"


async def test_keys_that_were_changed_are_good_for_nothing(s3: S3Server) -> None:
    old = in_s3(s3)
    await old.put("kept", b"x")
    s3.rotate()
    assert [type(outcome) for outcome in await _each_call(old)] == [StorageUnavailable] * 5
    assert s3.objects == {"counterfoil/kept": b"x"}

    assert await in_s3(s3).get("kept") == b"x"


async def test_a_wrong_secret_is_not_believed(s3: S3Server) -> None:
    s3_options = {**s3.options, "aws_secret_access_key": "wrong"}
    storage = open_storage(f"s3://{BUCKET}/counterfoil", s3_options)
    with pytest.raises(StorageUnavailable):
        await storage.put("key", b"x")
    assert s3.objects == {}


async def test_a_bucket_that_is_not_there_takes_nothing(s3: S3Server) -> None:
    storage = open_storage("s3://nowhere/counterfoil", s3.options)
    with pytest.raises(StorageUnavailable):
        await storage.put("key", b"x")


async def test_a_folder_that_can_not_be_written_is_unavailable(tmp_path: Path) -> None:
    storage = open_storage(tmp_path.as_uri(), {})
    (tmp_path / "avatars").write_bytes(b"a file in the way")
    with pytest.raises(StorageUnavailable):
        await storage.put("avatars/1/master", b"x")


async def test_a_failure_is_logged_without_the_key_which_is_as_good_as_an_address(
    s3: S3Server, capsys: pytest.CaptureFixture[str]
) -> None:
    s3.failing = 403
    with pytest.raises(StorageUnavailable):
        await in_s3(s3).get("avatars/secret/master")
    logged = "".join(capsys.readouterr())
    assert "storage.failed" in logged
    assert "403" in logged
    assert "avatars/secret" not in logged


def test_a_failing_storage_is_something_that_can_not_be_reached() -> None:
    assert isinstance(classify(StorageUnavailable("GenericError")), Unavailable)


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("nonsense", {}),
        ("ftp://example.com/x", {}),
        ("s3://", {}),
        ("file://relative/folder", {}),
        ("s3://bucket", {"no_such_option": "x"}),
    ],
)
def test_a_storage_that_makes_no_sense_is_told_in_a_sentence(url: str, options: dict[str, str]) -> None:
    with pytest.raises(StorageMisconfigured, match="STORAGE_URL") as refused:
        open_storage(url, options)
    assert "\n" not in str(refused.value)
