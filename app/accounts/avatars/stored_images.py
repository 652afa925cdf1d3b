"""The images of avatars in the object storage: one master each, and each size that was asked for, made once.

An avatar has a random name, new with each upload: nobody can guess its address, two people with the same picture share no object,
and erasing an old avatar can never hit a new one.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO, Final, TypeVar

from app.accounts.avatars import image_processing
from app.accounts.avatars.upload_limits import LARGEST_FILE_BYTES, FileTooLarge
from app.object_storage import Storage

T = TypeVar("T")

SIZES: Final = (32, 64, 128, 256, 512, image_processing.LARGEST_SIDE)

# a large picture takes up to half a gigabyte while it is decoded
_MOST_AT_ONCE: Final = 2
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


def size_at_least(pixels: int) -> int | None:
    """The smallest size there is of at least so many pixels; None where there is none, and for less than one pixel."""
    return next((size for size in SIZES if size >= pixels >= 1), None)


def new_digest() -> str:
    """A random name for a new avatar."""
    return secrets.token_hex(32)


class AvatarImages:
    """Makes, stores, reads and erases images. Methods that use the storage raise `StorageUnavailable`."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._workers = ThreadPoolExecutor(_MOST_AT_ONCE, "avatars")
        self._pending: dict[str, asyncio.Task[bytes | None]] = {}

    def close(self) -> None:
        """Stop the threads, without the work that has not begun."""
        self._workers.shutdown(wait=False, cancel_futures=True)

    async def make_master(self, file: BinaryIO) -> bytes:
        """The image to keep of an uploaded file; raises `FileTooLarge` and what `image_processing.make_master` raises."""
        return await self._in_thread(lambda: _read_and_process(file))

    async def keep(self, digest: str, master: bytes) -> None:
        """Store the master of an avatar."""
        await self._storage.put(_master_key(digest), master)

    async def read(self, digest: str, size: int) -> bytes | None:
        """An avatar at one of `SIZES`, or at its own size if that is smaller; None without one. The first read makes a size."""
        if not _DIGEST.fullmatch(digest) or size not in SIZES:
            return None
        key = f"{_folder(digest)}/{size}"
        found = await self._storage.get(key)
        if found is not None:
            return found
        pending = self._pending.get(key)
        if pending is None:
            pending = self._pending[key] = asyncio.create_task(self._make(digest, size, key))
            pending.add_done_callback(lambda _: self._pending.pop(key, None))
        return await asyncio.shield(pending)

    async def erase(self, digest: str) -> None:
        """Delete every object of an avatar, the master first: without it no reader makes another size."""
        await self._storage.delete(_master_key(digest))
        for key in await self._storage.keys(_folder(digest)):
            await self._storage.delete(key)

    async def _make(self, digest: str, size: int, key: str) -> bytes | None:
        master = await self._storage.get(_master_key(digest))
        if master is None:
            return None
        made = await self._in_thread(lambda: image_processing.resize(master, size))
        await self._storage.put(key, made)
        if not await self._storage.has(_master_key(digest)):
            # the avatar was erased meanwhile, maybe before this size was in the storage
            await self._storage.delete(key)
            return None
        return made

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._workers, work)


def _folder(digest: str) -> str:
    return f"avatars/{digest}"


def _master_key(digest: str) -> str:
    return f"{_folder(digest)}/master"


def _read_and_process(file: BinaryIO) -> bytes:
    file.seek(0)
    data = file.read(LARGEST_FILE_BYTES + 1)
    if len(data) > LARGEST_FILE_BYTES:
        raise FileTooLarge
    return image_processing.make_master(data)
