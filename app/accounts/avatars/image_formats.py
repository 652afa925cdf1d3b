"""What a file is, judged by its bytes and never by its name, before any decoder sees it.

Only the parts that a picture is drawn from go on to the decoder. Comments, places, embedded files and whatever else was packed in
stay behind, and so do the tricks that make a small file cost hours or gigabytes: millions of empty parts, passes without end, texts
that unpack to a hundred times their size, and sizes that no memory holds.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from app.errors import DomainError, ErrorCode

MOST_PIXELS: Final = 64_000_000

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_JPEG: Final = b"\xff\xd8\xff"
_OTHERS: Final = (
    (re.compile(rb"GIF8[79]a"), "a GIF"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "a WebP picture"),
    (re.compile(rb"....ftyp(?:heic|heix|heim|heis|hevc|mif1|msf1)", re.DOTALL), "a HEIC picture"),
    (re.compile(rb"....ftypavi[fs]", re.DOTALL), "an AVIF picture"),
    (re.compile(rb"BM"), "a BMP picture"),
    (re.compile(rb"II\*\0|MM\0\*"), "a TIFF picture"),
    (re.compile(rb"%PDF-"), "a PDF document"),
    (re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype html|html|head|body|script)\b", re.IGNORECASE), "a web page"),
    (re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:svg\b|[?!](?=.*?<svg\b))", re.DOTALL | re.IGNORECASE), "an SVG drawing"),
)
# enough to tell what a file is
_LOOKED_AT_BYTES: Final = 4096

# Encoders cut a picture into pieces of 8 kB or more; 20 MB of them are 2,500.
_MOST_CHUNKS: Final = 20_000
_DRAWN_FROM: Final = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
_LARGEST_NOTE_BYTES: Final = 65_536
# what Pillow takes of a PNG's profile, and more than any that a camera writes
_LARGEST_PROFILE_BYTES: Final = 1_048_576

# A long profile and what a phone adds make a few hundred; a progressive picture has about ten passes, each over all of it.
_MOST_SEGMENTS: Final = 1_000
_MOST_PASSES: Final = 64
_MARKER: Final = re.compile(rb"\xff([\x02-\xcf\xd8-\xfe])")
_START, _END, _PASS = 0xD8, 0xD9, 0xDA
_FRAMES: Final = frozenset({0xC0, 0xC1, 0xC2, 0xC9, 0xCA})
# tables of both kinds of coding, quantization, lines and restarts
_TABLES: Final = frozenset({0xC4, 0xCC, 0xDB, 0xDC, 0xDD})
_NOTES: Final = {0xE0: b"JFIF\0", 0xE1: b"Exif\0\0", 0xE2: b"ICC_PROFILE\0", 0xEE: b"Adobe"}


class NotAPicture(DomainError):
    """This file is neither a JPEG nor a PNG picture, whatever its name says. Choose another one."""

    code = ErrorCode.FILE_TYPE


class PictureDamaged(DomainError):
    """This picture is damaged or was cut off on its way. Save it again as JPEG or PNG, or choose another one."""

    code = ErrorCode.FILE_TYPE


class TooManyPixels(DomainError):
    """This picture has more than 64 megapixels. Make it smaller, or choose another one."""

    code = ErrorCode.FILE_TOO_LARGE


@dataclass(frozen=True, slots=True)
class PictureFile:
    """A picture that may be decoded: its format as Pillow calls it, and the parts of the file that it is drawn from."""

    format: Literal["JPEG", "PNG"]
    data: bytes


def judged(data: bytes) -> PictureFile:
    """The picture in a file. Raises `NotAPicture`, `TooManyPixels`, and `PictureDamaged` for what is no whole file of its kind."""
    if data.startswith(_PNG):
        return PictureFile("PNG", _slim_png(data))
    if data.startswith(_JPEG):
        return PictureFile("JPEG", _slim_jpeg(data))
    beginning = data[:_LOOKED_AT_BYTES]
    for pattern, kind in _OTHERS:
        if pattern.match(beginning):
            raise NotAPicture(f"This file is {kind}, whatever its name says. Choose a JPEG or PNG picture.")
    raise NotAPicture("This file is empty. Choose a JPEG or PNG picture." if not data else None)


def _check_size(width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise TooManyPixels
    if width * height == 0:
        raise PictureDamaged


def _slim_png(data: bytes) -> bytes:
    slim = bytearray(_PNG)
    is_first = True
    for kind, whole in _chunks(data):
        if is_first != (kind == b"IHDR"):
            raise PictureDamaged
        if is_first:
            _check_size(*struct.unpack_from(">II", whole, 8))
            is_first = False
        if kind in _DRAWN_FROM or _is_wanted_note(kind, whole[8:-4]):
            if zlib.crc32(whole[4:-4]) != int.from_bytes(whole[-4:]):
                raise PictureDamaged
            slim += whole
        if kind == b"IEND":
            return bytes(slim)
    raise PictureDamaged


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The kind of each chunk, and all of it: length, kind, content, checksum."""
    at = len(_PNG)
    for _ in range(_MOST_CHUNKS):
        end = at + 12 + int.from_bytes(data[at : at + 4])
        kind = data[at + 4 : at + 8]
        if end > len(data) or (kind == b"IHDR" and end - at != 12 + 13):
            return
        yield kind, data[at:end]
        at = end


def _is_wanted_note(kind: bytes, content: bytes) -> bool:
    """Whether it says which way up the picture is, or what its colours mean, and is not too large for that."""
    if kind == b"eXIf":
        return len(content) <= _LARGEST_NOTE_BYTES
    if kind != b"iCCP":
        return False
    packed = content.partition(b"\0")[2][1:]
    unpacking = zlib.decompressobj()
    try:
        unpacking.decompress(packed, _LARGEST_PROFILE_BYTES)
    except zlib.error:
        return False
    return unpacking.eof


def _slim_jpeg(data: bytes) -> bytes:
    slim, passes, drawn_from = bytearray(data[:2]), 0, 0
    for marker, start, end in _segments(data):
        if marker in _FRAMES:
            height, width = struct.unpack(">HH", data[start + 3 : start + 7].ljust(4, b"\0"))
            _check_size(width, height)
        if marker == _PASS:
            passes += 1
            drawn_from = drawn_from or start - 2
        is_note = marker in _NOTES and data.startswith(_NOTES[marker], start + 2)
        if not drawn_from and (is_note or marker in _FRAMES | _TABLES):
            slim += bytes((0xFF, marker)) + data[start:end]
    if not 1 <= passes <= _MOST_PASSES:
        raise PictureDamaged
    return bytes(slim) + data[drawn_from:]


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Each segment as a decoder would come to it: marker, where its length stands, where it ends."""
    at = 2
    for _ in range(_MOST_SEGMENTS):
        found = _MARKER.search(data, at)
        if found is None or found[1][0] == _END:
            return
        start = found.end()
        if found[1][0] == _START or start + 2 > len(data):
            raise PictureDamaged
        at = start + max(2, int.from_bytes(data[start : start + 2]))
        yield found[1][0], start, at
    raise PictureDamaged
