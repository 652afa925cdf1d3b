"""Checking uploaded files before they are decoded: the format is told by the bytes, never by the name, and metadata is removed.

Only the parts that the image is made of reach the decoder. Comments, places, embedded files and other metadata do not, and neither
do attacks by which a small file costs hours or gigabytes: millions of empty parts, endless scans, compressed text that expands to a
hundred times its size, and sizes that no memory holds.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Final, Literal

from app.accounts.avatars.upload_limits import MOST_PIXELS
from app.error_codes import ErrorCode
from app.errors import DomainError
from app.wording import count

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_JPEG: Final = b"\xff\xd8\xff"
_OTHER_FORMATS: Final = (
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
# enough to recognize the other formats by
_SIGNATURE_BYTES: Final = 4096

# Encoders make chunks of 8 kB or more: a file of 20 MB has 2,500.
_MOST_CHUNKS: Final = 20_000
_IMAGE_CHUNKS: Final = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
_LARGEST_EXIF_BYTES: Final = 65_536
# what Pillow accepts as a PNG's profile, and more than any camera writes
_LARGEST_PROFILE_BYTES: Final = 1_048_576

# A long profile and what a phone adds make a few hundred segments; a progressive picture has about ten scans of all its data.
_MOST_SEGMENTS: Final = 1_000
_MOST_SCANS: Final = 64
_MARKER: Final = re.compile(rb"\xff([\x02-\xcf\xd8-\xfe])")
_START_OF_IMAGE, _END_OF_IMAGE, _SCAN = 0xD8, 0xD9, 0xDA
_FRAMES: Final = frozenset({0xC0, 0xC1, 0xC2, 0xC9, 0xCA})
# tables of both kinds of coding, quantization, number of lines, restart interval
_TABLES: Final = frozenset({0xC4, 0xCC, 0xDB, 0xDC, 0xDD})
_METADATA: Final = {0xE0: b"JFIF\0", 0xE1: b"Exif\0\0", 0xE2: b"ICC_PROFILE\0", 0xEE: b"Adobe"}


class NotAPicture(DomainError):
    """This file is neither a JPEG nor a PNG picture, whatever its name says. Choose another one."""

    code = ErrorCode.FILE_TYPE


class PictureDamaged(DomainError):
    """This picture is damaged or was cut off on its way. Save it again as JPEG or PNG, or choose another one."""

    code = ErrorCode.FILE_TYPE


class TooManyPixels(DomainError):
    """This picture has more than {most}. Make it smaller, or choose another one."""

    code = ErrorCode.FILE_TOO_LARGE
    placeholders: ClassVar = {"most": count(MOST_PIXELS // 1_000_000, "megapixel")}


@dataclass(frozen=True, slots=True)
class PictureFile:
    """A picture that may be decoded: its format as Pillow calls it, and the file without most of its metadata."""

    format: Literal["JPEG", "PNG"]
    data: bytes


def check_picture(data: bytes) -> PictureFile:
    """The picture in a file. Raises `NotAPicture`, `TooManyPixels`, and `PictureDamaged` for a malformed file."""
    if data.startswith(_PNG):
        return PictureFile("PNG", _strip_png(data))
    if data.startswith(_JPEG):
        return PictureFile("JPEG", _strip_jpeg(data))
    beginning = data[:_SIGNATURE_BYTES]
    for pattern, kind in _OTHER_FORMATS:
        if pattern.match(beginning):
            raise NotAPicture(f"This file is {kind}, whatever its name says. Choose a JPEG or PNG picture.")
    raise NotAPicture("This file is empty. Choose a JPEG or PNG picture." if not data else None)


def _check_size(width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise TooManyPixels
    if width * height == 0:
        raise PictureDamaged


def _strip_png(data: bytes) -> bytes:
    stripped = bytearray(_PNG)
    is_first = True
    for kind, whole in _chunks(data):
        if is_first != (kind == b"IHDR"):
            raise PictureDamaged
        if is_first:
            _check_size(*struct.unpack_from(">II", whole, 8))
            is_first = False
        if kind in _IMAGE_CHUNKS or _is_needed_metadata(kind, whole[8:-4]):
            if zlib.crc32(whole[4:-4]) != int.from_bytes(whole[-4:]):
                raise PictureDamaged
            stripped += whole
        if kind == b"IEND":
            return bytes(stripped)
    raise PictureDamaged


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The kind of each chunk, and its bytes: length, kind, content, checksum."""
    at = len(_PNG)
    for _ in range(_MOST_CHUNKS):
        end = at + 12 + int.from_bytes(data[at : at + 4])
        kind = data[at + 4 : at + 8]
        if end > len(data) or (kind == b"IHDR" and end - at != 12 + 13):
            return
        yield kind, data[at:end]
        at = end


def _is_needed_metadata(kind: bytes, content: bytes) -> bool:
    """Whether a chunk holds the orientation (EXIF) or the colour profile, and is not too large for that."""
    if kind == b"eXIf":
        return len(content) <= _LARGEST_EXIF_BYTES
    if kind != b"iCCP":
        return False
    compressed = content.partition(b"\0")[2][1:]
    decompressor = zlib.decompressobj()
    try:
        decompressor.decompress(compressed, _LARGEST_PROFILE_BYTES)
    except zlib.error:
        return False
    return decompressor.eof


def _strip_jpeg(data: bytes) -> bytes:
    stripped, scans, scans_start = bytearray(data[:2]), 0, 0
    for marker, start, end in _segments(data):
        if marker in _FRAMES:
            height, width = struct.unpack(">HH", data[start + 3 : start + 7].ljust(4, b"\0"))
            _check_size(width, height)
        if marker == _SCAN:
            scans += 1
            scans_start = scans_start or start - 2
        is_metadata = marker in _METADATA and data.startswith(_METADATA[marker], start + 2)
        if not scans_start and (is_metadata or marker in _FRAMES | _TABLES):
            stripped += bytes((0xFF, marker)) + data[start:end]
    if not 1 <= scans <= _MOST_SCANS:
        raise PictureDamaged
    return bytes(stripped) + data[scans_start:]


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """The segments in the order a decoder reads them: marker, offset of the length, offset of the end."""
    at = 2
    for _ in range(_MOST_SEGMENTS):
        found = _MARKER.search(data, at)
        if found is None or found[1][0] == _END_OF_IMAGE:
            return
        start = found.end()
        if found[1][0] == _START_OF_IMAGE or start + 2 > len(data):
            raise PictureDamaged
        at = start + max(2, int.from_bytes(data[start : start + 2]))
        yield found[1][0], start, at
    raise PictureDamaged
