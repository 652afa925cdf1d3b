"""Uploading, replacing and erasing avatars: crashes and races leave a readable avatar, and no image that is nobody's."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, select

from app.accounts.avatars import image_processing
from app.accounts.avatars.stored_images import SIZES, AvatarImages
from app.accounts.avatars.user_avatars import (
    discard_avatar,
    erase_leftovers,
    next_leftover_at,
    remove_avatar,
    upload_avatar,
)
from app.accounts.people.users import find_user
from app.clock import Clock
from app.db.engine import Database, Session
from app.db.tables.people import AvatarLeftoverRow, UserRow
from app.db.unit_of_work import transact
from app.errors import Unauthenticated, Unavailable
from app.object_storage import Storage, StorageUnavailable, open_storage
from tests.support.accounts import LIMITS_OFF, Person, at_later, new_person
from tests.support.pictures import encoded, quadrants

PICTURE = encoded(quadrants())
AN_HOUR = timedelta(hours=1, minutes=1)


class Crash(BaseException):
    """The process ends here."""


def crashing(database: Database, point: str) -> Database:
    """The same database, for a process that ends at a point."""

    def fault(passed: str) -> None:
        if passed == point:
            raise Crash

    return Database(database.engine, Clock(), fault=fault)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of the object storage."""
    return tmp_path


@pytest.fixture
def images(folder: Path) -> AvatarImages:
    """The images in the folder."""
    return AvatarImages(open_storage(folder.as_uri(), {}))


def kept(folder: Path) -> set[str]:
    return {path.name for path in (folder / "avatars").glob("*")}


async def shown(database: Database, person: Person) -> str | None:
    async with database.read() as session:
        user = await find_user(session, person.user.id)
    return user.avatar_digest if user is not None else None


async def leftovers(database: Database) -> set[str]:
    async with database.read() as session:
        return set((await session.scalars(select(AvatarLeftoverRow.digest))).all())


async def upload(database: Database, images: AvatarImages, person: Person) -> None:
    await upload_avatar(database, images, LIMITS_OFF, person.caller, io.BytesIO(PICTURE))


async def erase(database: Database, images: AvatarImages) -> int:
    return await erase_leftovers(database, images, limit=100)


UPLOADING = [
    *("avatar.announce:before-commit", "avatar.announce:after-commit", "avatar.kept"),
    *("avatar.show:before-commit", "avatar.show:after-commit"),
]
ERASING = ["avatar.claim:before-commit", "avatar.claim:after-commit", "avatar.erased", "avatar.forget:before-commit"]


@pytest.mark.parametrize("point", UPLOADING)
async def test_a_crash_while_uploading_leaves_an_avatar_that_can_be_read_and_nothing_else(
    fresh_database: Database, images: AvatarImages, folder: Path, point: str
) -> None:
    person = await new_person(fresh_database)
    await upload(fresh_database, images, person)
    before = await shown(fresh_database, person)

    with pytest.raises(Crash):
        await upload(crashing(fresh_database, point), images, person)

    after = await shown(fresh_database, person)
    assert after is not None
    assert (after == before) == (point != "avatar.show:after-commit")
    await erase(fresh_database, images)
    assert await images.read(after, 128) is not None
    await erase(at_later(fresh_database, AN_HOUR), images)
    assert kept(folder) == {after}
    assert await images.read(after, 128) is not None
    assert await leftovers(fresh_database) == set()


@pytest.mark.parametrize("point", ERASING)
async def test_a_crash_while_erasing_is_made_up_for(
    fresh_database: Database, images: AvatarImages, folder: Path, point: str
) -> None:
    person = await new_person(fresh_database)
    await upload(fresh_database, images, person)
    await remove_avatar(fresh_database, person.caller)

    with pytest.raises(Crash):
        await erase(crashing(fresh_database, point), images)

    assert len(await leftovers(fresh_database)) == 1
    assert await erase(at_later(fresh_database, AN_HOUR), images) == 1
    assert kept(folder) == set()
    assert await leftovers(fresh_database) == set()


async def test_an_upload_that_outlasts_its_hour_is_not_shown(
    fresh_database: Database, folder: Path, images: AvatarImages
) -> None:
    class Late(AvatarImages):
        async def keep(self, digest: str, master: bytes) -> None:
            await super().keep(digest, master)
            await erase(at_later(fresh_database, AN_HOUR), images)

    person = await new_person(fresh_database)
    with pytest.raises(Unavailable):
        await upload(fresh_database, Late(open_storage(folder.as_uri(), {})), person)
    assert await shown(fresh_database, person) is None
    assert kept(folder) == set()


async def test_an_upload_whose_erasing_has_begun_is_not_shown(
    fresh_database: Database, folder: Path, images: AvatarImages
) -> None:
    class Late(AvatarImages):
        async def keep(self, digest: str, master: bytes) -> None:
            await super().keep(digest, master)
            with pytest.raises(Crash):
                await erase(at_later(fresh_database, AN_HOUR), Failing(Crash()))

    person = await new_person(fresh_database)
    with pytest.raises(Unavailable):
        await upload(fresh_database, Late(open_storage(folder.as_uri(), {})), person)
    assert await shown(fresh_database, person) is None
    await erase(at_later(fresh_database, 2 * AN_HOUR), images)
    assert kept(folder) == set()


class Failing(AvatarImages):
    """Erases nothing, but fails, for these avatars or for all."""

    def __init__(self, failure: BaseException, only: set[str] | None = None) -> None:
        super().__init__(open_storage("memory:///", {}))
        self._failure = failure
        self._only = only
        self.tried: list[str] = []

    async def erase(self, digest: str) -> None:
        self.tried.append(digest)
        if self._only is None or digest in self._only:
            raise self._failure


async def test_what_can_not_be_erased_is_tried_again_ever_more_seldom_and_for_ever(
    fresh_database: Database, images: AvatarImages, folder: Path
) -> None:
    person = await new_person(fresh_database)
    await upload(fresh_database, images, person)
    await remove_avatar(fresh_database, person.caller)
    broken = Failing(StorageUnavailable())

    waits: list[float] = []
    later = timedelta()
    for _ in range(20):
        database = at_later(fresh_database, later)
        before = database.clock.now()
        with pytest.raises(StorageUnavailable):
            await erase(database, broken)
        assert await erase(database, broken) == 0
        async with database.read() as session:
            due_at = await next_leftover_at(session)
        assert due_at is not None
        waits.append((due_at - before).total_seconds())
        later += due_at - before

    assert len(broken.tried) == 20
    assert all(abs(wait - 30 * 2 ** min(number, 11)) < 20 for number, wait in enumerate(waits))
    assert await erase(at_later(fresh_database, later), images) == 1
    assert kept(folder) == set()


async def test_one_avatar_that_can_not_be_erased_does_not_keep_the_others(
    fresh_database: Database, images: AvatarImages
) -> None:
    people = [await new_person(fresh_database) for _ in range(3)]
    for person in people:
        await upload(fresh_database, images, person)
    stuck = await shown(fresh_database, people[0])
    assert stuck is not None
    for person in people:
        await remove_avatar(fresh_database, person.caller)

    broken = Failing(StorageUnavailable(), only={stuck})
    with pytest.raises(StorageUnavailable):
        await erase(fresh_database, broken)
    assert await erase(fresh_database, broken) == 2
    assert await leftovers(fresh_database) == {stuck}


async def test_many_workers_erase_each_avatar_once(fresh_database: Database, images: AvatarImages) -> None:
    for _ in range(5):
        person = await new_person(fresh_database)
        await upload(fresh_database, images, person)
        await remove_avatar(fresh_database, person.caller)

    workers = [Failing(StorageUnavailable(), only=set()) for _ in range(4)]
    erased = await asyncio.gather(*(erase(fresh_database, worker) for worker in workers))
    tried = [digest for worker in workers for digest in worker.tried]
    assert (sum(erased), len(tried), len(set(tried))) == (5, 5, 5)


class Watched(Storage):
    """A storage that does something else right before it puts an object."""

    def __init__(self, folder: Path, before_put: Callable[[str], object]) -> None:
        self._real = open_storage(folder.as_uri(), {})
        super().__init__(self._real._store, longest_seconds=10)  # pyright: ignore[reportPrivateUsage]
        self._before_put = before_put

    async def put(self, key: str, data: bytes) -> None:
        done = self._before_put(key)
        if asyncio.iscoroutine(done):
            await done
        await super().put(key, data)


async def test_a_size_that_is_made_while_its_avatar_is_erased_does_not_outlive_it(
    fresh_database: Database, images: AvatarImages, folder: Path
) -> None:
    person = await new_person(fresh_database)
    await upload(fresh_database, images, person)
    digest = await shown(fresh_database, person)
    assert digest is not None

    reading = AvatarImages(Watched(folder, lambda _key: images.erase(digest)))
    assert await reading.read(digest, 128) is None
    assert kept(folder) == set()


async def test_a_size_is_made_once_however_many_ask_for_it(
    fresh_database: Database, images: AvatarImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = await new_person(fresh_database)
    await upload(fresh_database, images, person)
    digest = await shown(fresh_database, person)
    assert digest is not None
    made: list[int] = []
    real = image_processing.resize

    def counting(master: bytes, side: int) -> bytes:
        made.append(side)
        return real(master, side)

    monkeypatch.setattr(image_processing, "resize", counting)
    read = await asyncio.gather(*(images.read(digest, size) for size in SIZES * 5))
    assert None not in read
    assert sorted(made) == sorted(SIZES)
    await asyncio.gather(*(images.read(digest, size) for size in SIZES * 5))
    assert sorted(made) == sorted(SIZES)


async def test_one_who_stops_waiting_for_a_size_does_not_take_it_from_the_others(
    fresh_database: Database, images: AvatarImages, folder: Path
) -> None:
    person = await new_person(fresh_database)
    await upload(fresh_database, images, person)
    digest = await shown(fresh_database, person)
    assert digest is not None
    putting, going_on = asyncio.Event(), asyncio.Event()

    async def wait(_key: str) -> None:
        putting.set()
        await going_on.wait()

    reading = AvatarImages(Watched(folder, wait))
    first, second = (asyncio.create_task(reading.read(digest, 64)) for _ in range(2))
    await putting.wait()
    first.cancel()
    going_on.set()
    assert await second is not None


# ------------------------------------------------------------------ deleting an account


async def delete_account(database: Database, person: Person) -> None:
    """What the deletion of an account does, as far as avatars go."""

    async def work(session: Session) -> None:
        await discard_avatar(session, person.user.id)
        await session.execute(delete(UserRow).where(UserRow.id == person.user.id))

    await transact(database, work)


async def test_the_images_of_a_deleted_account_are_erased(
    fresh_database: Database, images: AvatarImages, folder: Path
) -> None:
    person, other = await new_person(fresh_database), await new_person(fresh_database)
    for each in (person, other):
        await upload(fresh_database, images, each)
    digest = await shown(fresh_database, person)
    assert digest is not None
    for size in SIZES:
        assert await images.read(digest, size) is not None

    await delete_account(fresh_database, person)
    assert await erase(fresh_database, images) == 1
    assert kept(folder) == {await shown(fresh_database, other)}
    assert await images.read(digest, 128) is None


async def test_nobody_without_an_avatar_leaves_anything_to_erase(fresh_database: Database) -> None:
    person = await new_person(fresh_database)
    await delete_account(fresh_database, person)
    await delete_account(fresh_database, person)
    assert await leftovers(fresh_database) == set()


async def test_an_upload_that_meets_the_deletion_of_its_account_leaves_nothing(
    fresh_database: Database, images: AvatarImages, folder: Path
) -> None:
    for _ in range(6):
        person = await new_person(fresh_database)
        outcomes = await asyncio.gather(
            *(upload(fresh_database, images, person) for _ in range(2)),
            delete_account(fresh_database, person),
            upload(fresh_database, images, person),
            return_exceptions=True,
        )
        assert {type(outcome) for outcome in outcomes} <= {type(None), Unauthenticated}

    while await erase(at_later(fresh_database, AN_HOUR), images):
        pass
    assert kept(folder) == set()
    assert await leftovers(fresh_database) == set()
