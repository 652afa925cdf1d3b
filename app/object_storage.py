"""The object storage: bytes under keys, in a folder, in S3 or in whatever else obstore speaks to."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any, Final, cast
from urllib.parse import urlsplit

import obstore
import structlog
from obstore.exceptions import BaseError
from obstore.store import from_url

_ATTEMPTS_AGAIN: Final = 2
_CALL_SECONDS: Final = 6.0
# all attempts of a call and the pauses between them, in calls
_LONGEST: Final = 2.5

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class StorageUnavailable(Exception):
    """The object storage can't be reached, or refuses what it was asked."""


class StorageMisconfigured(ValueError):
    """The settings of the object storage make no sense; the message says which."""


class Storage:
    """Objects by key, such as `avatars/1f…/128`. Every method raises `StorageUnavailable` when the storage doesn't do its part.

    Writing an object is all or nothing: no reader ever sees half of it.
    """

    def __init__(self, store: object, *, longest_seconds: float) -> None:
        # the type that obstore names exists for type checkers only
        self._store: Any = store
        self._longest_seconds = longest_seconds

    async def put(self, key: str, data: bytes) -> None:
        """Keep an object, in place of what was there."""
        with _failures(key):
            async with asyncio.timeout(self._longest_seconds):
                await obstore.put_async(self._store, key, data)

    async def get(self, key: str) -> bytes | None:
        """An object; None for none."""
        with _failures(key), suppress(FileNotFoundError):
            async with asyncio.timeout(self._longest_seconds):
                found = await obstore.get_async(self._store, key)
                return bytes(await found.bytes_async())
        return None

    async def has(self, key: str) -> bool:
        """Whether there is such an object."""
        with _failures(key), suppress(FileNotFoundError):
            async with asyncio.timeout(self._longest_seconds):
                await obstore.head_async(self._store, key)
                return True
        return False

    async def keys(self, folder: str) -> list[str]:
        """The keys of all objects within a folder, at any depth."""
        with _failures(folder):
            async with asyncio.timeout(self._longest_seconds):
                return [found["path"] async for page in obstore.list(self._store, folder) for found in page]

    async def delete(self, key: str) -> None:
        """Delete an object; one that is not there is no failure."""
        with _failures(key), suppress(FileNotFoundError):
            async with asyncio.timeout(self._longest_seconds):
                await obstore.delete_async(self._store, key)


def open_storage(url: str, options: Mapping[str, str], *, call_seconds: float = _CALL_SECONDS) -> Storage:
    """The storage at `url` (`file:///folder`, `s3://bucket/prefix`, `gs://…`, `az://…`, `memory:///`), with options as obstore
    names them; nothing is asked of it yet, but a folder is made. A call that takes longer than `call_seconds` is tried again.

    Raises `StorageMisconfigured` for an address or an option that makes no sense.
    """
    try:
        store = _store(url, options, call_seconds)
    except (BaseError, OSError, ValueError) as error:
        raise StorageMisconfigured(f"STORAGE_URL or its options make no sense: {_first_line(error)}") from None
    return Storage(store, longest_seconds=_LONGEST * call_seconds)


def _store(url: str, options: Mapping[str, str], call_seconds: float) -> object:
    match urlsplit(url).scheme:
        case "file":
            return from_url(url, mkdir=True, automatic_cleanup=True)
        case "memory":
            return from_url(url)
        case _:
            endpoint = options.get("aws_endpoint") or options.get("endpoint") or url
            return from_url(
                url,
                config=cast("Any", dict(options)),
                client_options={
                    "allow_http": endpoint.startswith("http://"),
                    "connect_timeout": timedelta(seconds=call_seconds / 2),
                    "timeout": timedelta(seconds=call_seconds),
                },
                retry_config={
                    "max_retries": _ATTEMPTS_AGAIN,
                    "retry_timeout": timedelta(seconds=2 * call_seconds),
                    "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=1)},
                },
            )


@contextmanager
def _failures(key: str) -> Generator[None]:
    try:
        yield
    except (BaseError, OSError, ValueError) as error:
        # keys are as good as addresses, which the log must not give away
        _log.warning("storage.failed", error=type(error).__name__, reason=_first_line(error).replace(key, "…"))
        raise StorageUnavailable(type(error).__name__) from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
