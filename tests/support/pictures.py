"""Picture files for tests, ordinary and odd, made where they are used."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterable
from typing import Any

from PIL import Image, ImageCms

RED, GREEN, BLUE, WHITE = (220, 20, 30), (20, 200, 40), (30, 40, 210), (250, 250, 250)
PNG = b"\x89PNG\r\n\x1a\n"


def quadrants(width: int = 80, height: int = 80, mode: str = "RGB") -> Image.Image:
    """Red and green above, blue and white below, so that a test can see rotation and cropping."""
    picture = Image.new("RGB", (width, height), WHITE)
    picture.paste(RED, (0, 0, width // 2, height // 2))
    picture.paste(GREEN, (width // 2, 0, width, height // 2))
    picture.paste(BLUE, (0, height // 2, width // 2, height))
    return picture.convert(mode)


def encoded(picture: Image.Image, format: str = "JPEG", **options: Any) -> bytes:  # noqa: A002  # Pillow's name
    """A file of the picture."""
    written = io.BytesIO()
    if format == "JPEG":
        options = {"quality": 95, "subsampling": 0, **options}
    picture.save(written, format, **options)
    return written.getvalue()


def decoded(data: bytes) -> Image.Image:
    """The picture in a file."""
    picture = Image.open(io.BytesIO(data))
    picture.load()
    return picture


def corners(picture: Image.Image) -> list[str]:
    """The colours of the quarters by name: upper left, upper right, lower left, lower right."""
    width, height = picture.size
    places = [(x * width // 4, y * height // 4) for y in (1, 3) for x in (1, 3)]
    shown = picture.convert("RGB")
    return [nearest(shown.getpixel(place)) for place in places]


def nearest(pixel: Any) -> str:
    """The name of the colour that a pixel is nearest to."""
    names = {"red": RED, "green": GREEN, "blue": BLUE, "white": WHITE, "black": (0, 0, 0), "gray": (128, 128, 128)}
    return min(names, key=lambda name: sum((one - other) ** 2 for one, other in zip(names[name], pixel, strict=True)))


def with_exif(orientation: int, *, place: str = "SECRET PLACE") -> Image.Exif:
    """What a camera writes: how it was held, who made it, and where it was."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = place
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[2] = (52.0, 22.0, 12.0)
    exif.get_ifd(0x8825)[29] = "2026:01:01"
    return exif


def srgb_profile() -> bytes:
    """The profile that changes nothing."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()  # pyright: ignore[reportUnknownArgumentType]


def swapped_profile() -> bytes:
    """A profile in which the red primary is sRGB's green and the green one its red."""
    return srgb_profile().replace(b"rXYZ", b"TEMP").replace(b"gXYZ", b"rXYZ").replace(b"TEMP", b"gXYZ")


def chunk(kind: bytes, content: bytes = b"") -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def header(width: int, height: int, depth: int, colours: int, interlaced: int = 0) -> bytes:
    """The first chunk of a PNG: `colours` is 0 for gray, 2 for RGB, 3 for a palette, 4 for gray and alpha, 6 for RGB and alpha."""
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colours, 0, 0, interlaced))


def png(width: int, height: int, depth: int, colours: int, rows: Iterable[bytes], *extra: bytes) -> bytes:
    """A PNG by hand, with `extra` chunks before the picture."""
    packed = zlib.compress(b"".join(b"\0" + row for row in rows))
    return PNG + header(width, height, depth, colours) + b"".join(extra) + chunk(b"IDAT", packed) + chunk(b"IEND")


def after_header(data: bytes, *chunks: bytes) -> bytes:
    """A PNG with more chunks behind its header."""
    at = len(PNG) + 25
    return data[:at] + b"".join(chunks) + data[at:]


def segment(marker: int, content: bytes) -> bytes:
    """A segment of a JPEG."""
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def after_start(data: bytes, *segments: bytes) -> bytes:
    """A JPEG with more segments at its beginning."""
    return data[:2] + b"".join(segments) + data[2:]


def animated() -> bytes:
    """A PNG whose frames are red, green and blue."""
    frames = [Image.new("RGB", (60, 60), colour) for colour in (RED, GREEN, BLUE)]
    return encoded(frames[0], "PNG", save_all=True, append_images=frames[1:], duration=100)
