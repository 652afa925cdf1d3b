"""The images of avatars in the storage: one master each, and the sizes asked for, each made once.

An avatar goes by a random name, new with each upload: nobody can guess its address, two people with one picture share nothing, and
whatever cleans up an old one can never meet a new one.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO, Final, TypeVar

from app.accounts.avatars import image_drawing
from app.errors import DomainError, ErrorCode
from app.object_storage import Storage

T = TypeVar("T")

LARGEST_FILE_BYTES: Final = 20_000_000
SIZES: Final = (32, 64, 128, 256, 512, image_drawing.LARGEST_SIDE)

# a large picture takes up to half a gigabyte while it is decoded
_AT_ONCE: Final = 2
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


class FileTooLarge(DomainError):
    """This file is larger than 20 MB. Choose a smaller one."""

    code = ErrorCode.FILE_TOO_LARGE


def size_at_least(pixels: int) -> int | None:
    """The smallest size there is of at least so many pixels; None where there is none, and for less than one pixel."""
    return next((size for size in SIZES if size >= pixels >= 1), None)


def new_digest() -> str:
    """A name for an avatar that is about to be kept."""
    return secrets.token_hex(32)


class AvatarImages:
    """Makes, keeps, reads and erases images. Methods that go to the storage raise `StorageUnavailable`."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._workers = ThreadPoolExecutor(_AT_ONCE, "avatars")
        self._making: dict[str, asyncio.Task[bytes | None]] = {}

    def close(self) -> None:
        """Give up what has not begun."""
        self._workers.shutdown(wait=False, cancel_futures=True)

    async def master_of(self, file: BinaryIO) -> bytes:
        """The image to keep of an uploaded file; raises `FileTooLarge` and what `pictures.master_of` raises."""
        return await self._worked(lambda: _read_master(file))

    async def keep(self, digest: str, master: bytes) -> None:
        """Put an image into the storage."""
        await self._storage.put(_master_key(digest), master)

    async def read(self, digest: str, size: int) -> bytes | None:
        """An avatar at one of `SIZES`, or as large as it is; None for one that isn't there. Whoever asks first has it made."""
        if not _DIGEST.fullmatch(digest) or size not in SIZES:
            return None
        key = f"{_folder(digest)}/{size}"
        found = await self._storage.get(key)
        if found is not None:
            return found
        making = self._making.get(key)
        if making is None:
            making = self._making[key] = asyncio.create_task(self._make(digest, size, key))
            making.add_done_callback(lambda _: self._making.pop(key, None))
        return await asyncio.shield(making)

    async def erase(self, digest: str) -> None:
        """Delete every object of an avatar, the master first: then nobody makes another size that outlives it."""
        await self._storage.delete(_master_key(digest))
        for key in await self._storage.keys(_folder(digest)):
            await self._storage.delete(key)

    async def _make(self, digest: str, size: int, key: str) -> bytes | None:
        master = await self._storage.get(_master_key(digest))
        if master is None:
            return None
        made = await self._worked(lambda: image_drawing.smaller(master, size))
        await self._storage.put(key, made)
        if not await self._storage.has(_master_key(digest)):
            # it was erased meanwhile, maybe before this size could be seen there
            await self._storage.delete(key)
            return None
        return made

    async def _worked(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._workers, work)


def _folder(digest: str) -> str:
    return f"avatars/{digest}"


def _master_key(digest: str) -> str:
    return f"{_folder(digest)}/master"


def _read_master(file: BinaryIO) -> bytes:
    file.seek(0)
    data = file.read(LARGEST_FILE_BYTES + 1)
    if len(data) > LARGEST_FILE_BYTES:
        raise FileTooLarge
    return image_drawing.master_of(data)
