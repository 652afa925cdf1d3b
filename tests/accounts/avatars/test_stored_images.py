"""Processing and reading images: two at a time, and any file gives a picture or an error for the person."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.accounts.avatars import image_processing
from app.accounts.avatars.stored_images import SIZES, AvatarImages, size_at_least
from app.errors import DomainError
from app.object_storage import open_storage
from tests.support.pictures import PNG, decoded, encoded, quadrants, with_exif

FILES = [
    encoded(quadrants(20, 20), exif=with_exif(6)),
    encoded(quadrants(20, 20), progressive=True),
    encoded(quadrants(20, 20), "PNG"),
    encoded(quadrants(20, 20).quantize(4), "PNG", exif=with_exif(3)),
]


async def test_two_pictures_are_processed_at_once_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    processing, most = 0, 0
    counting, both = threading.Lock(), threading.Barrier(2)

    def process(data: bytes) -> bytes:
        nonlocal processing, most
        with counting:
            processing += 1
            most = max(most, processing)
        # two must be here at the same time to go on
        both.wait(60)
        with counting:
            processing -= 1
        return data

    monkeypatch.setattr(image_processing, "make_master", process)
    images = AvatarImages(open_storage("memory:///", {}))
    await asyncio.gather(*(images.make_master(io.BytesIO(b"x")) for _ in range(8)))
    assert most == 2


async def test_a_file_is_read_from_its_beginning() -> None:
    images = AvatarImages(open_storage("memory:///", {}))
    file = io.BytesIO(FILES[0])
    assert await images.make_master(file) == await images.make_master(file)


def test_sizes_are_rounded_up_to_those_there_are() -> None:
    assert [size_at_least(pixels) for pixels in (*SIZES, 1, 31, 1023)] == [*SIZES, 32, 32, 1024]
    assert [size_at_least(pixels) for pixels in (0, -1, 1025)] == [None] * 3


def _processed_or_refused(data: bytes) -> None:
    with suppress(DomainError):
        picture = decoded(image_processing.make_master(data))
        assert picture.width == picture.height <= image_processing.LARGEST_SIDE


@given(st.sampled_from([PNG, b"\xff\xd8\xff", b""]), st.binary())
def test_any_bytes_are_processed_or_refused(beginning: bytes, rest: bytes) -> None:
    _processed_or_refused(beginning + rest)


def _changed(draw: Callable[[st.SearchStrategy[int]], int], data: bytes) -> bytes:
    at = draw(st.integers(0, len(data) - 1))
    return data[:at] + bytes((draw(st.integers(0, 255)),)) + data[at + draw(st.integers(0, 3)) :]


@settings(max_examples=300)
@given(st.sampled_from(FILES), st.data())
def test_any_change_to_a_picture_leaves_one_or_is_refused(file: bytes, data: st.DataObject) -> None:
    for _ in range(3):
        file = _changed(data.draw, file)
    _processed_or_refused(file)
