"""Odd files, one by one, through the API: judged by their bytes, and refused each in a sentence of its own."""

from __future__ import annotations

import struct
import zlib

import pytest
from PIL import Image

from tests.support.avatars import AvatarHolder
from tests.support.pictures import (
    PNG,
    after_header,
    after_start,
    chunk,
    corners,
    decoded,
    encoded,
    header,
    png,
    quadrants,
    segment,
    srgb_profile,
)

UPRIGHT = ["red", "green", "blue", "white"]
LIMIT_BYTES = 20_000_000


# ------------------------------------------------------------------ what is no JPEG or PNG

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
OTHERS = {
    "GIF": (encoded(quadrants(), "GIF"), "a GIF"),
    "WebP": (encoded(quadrants(), "WEBP"), "a WebP picture"),
    "BMP": (encoded(quadrants(), "BMP"), "a BMP picture"),
    "TIFF": (encoded(quadrants(), "TIFF"), "a TIFF picture"),
    "AVIF": (b"\0\0\0\x20ftypavif" + b"x" * 100, "an AVIF picture"),
    "HEIC": (b"\0\0\0\x20ftypheic" + b"x" * 100, "a HEIC picture"),
    "PDF": (b"%PDF-1.7\n" + encoded(quadrants()), "a PDF document"),
    "SVG": (SVG, "an SVG drawing"),
    "SVG with a prologue": (b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- a -->' * 3 + SVG, "an SVG drawing"),
    "HTML": (b"<!DOCTYPE html><title>x</title>" + SVG, "a web page"),
    "HTML in capitals": (b"  <HTML><SCRIPT>alert(1)</SCRIPT></HTML>", "a web page"),
    "a script": (b"<script>alert(1)</script>", "a web page"),
    "nothing": (b"", "empty"),
    "text": (b"\x89 is not PNG", "neither a JPEG nor a PNG"),
    "a GIF that is a PNG from its tenth byte on": (b"GIF89a    " + encoded(quadrants(), "PNG"), "a GIF"),
    "a page with a PNG in it": (b"<html>" + encoded(quadrants(), "PNG"), "a web page"),
    "a ZIP before a JPEG": (b"PK\x03\x04" + encoded(quadrants()), "neither a JPEG nor a PNG"),
    "a PNG after an empty line": (b"\n" + encoded(quadrants(), "PNG"), "neither a JPEG nor a PNG"),
    "a PNG through a text transfer": (encoded(quadrants(), "PNG").replace(b"\r\n", b"\n"), "neither a JPEG nor a PNG"),
}


@pytest.mark.parametrize(("data", "message"), OTHERS.values(), ids=OTHERS.keys())
async def test_what_is_no_jpeg_or_png_is_refused_whatever_it_is_called(
    holder: AvatarHolder, data: bytes, message: str
) -> None:
    error = await holder.refused(data, filename="picture.png", media_type="image/png")
    assert error["code"] == "FILE_TYPE"
    assert message in error["message"]
    assert "JPEG" in error["message"]
    assert await holder.url() is None


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
async def test_a_picture_is_taken_whatever_it_is_called(holder: AvatarHolder, format: str) -> None:  # noqa: A002
    data = encoded(quadrants(), format)
    assert await holder.upload(data, filename="../../etc/passwd", media_type="text/html")
    assert corners(decoded(await holder.picture())) == UPRIGHT


# ------------------------------------------------------------------ too large


async def test_a_file_of_20_mb_is_taken_and_one_byte_more_is_too_large(holder: AvatarHolder) -> None:
    data = encoded(quadrants())
    error = await holder.refused(data.ljust(LIMIT_BYTES + 1, b"\0"))
    assert (error["code"], error["message"]) == (
        "FILE_TOO_LARGE",
        "This file is larger than 20 MB. Choose a smaller one.",
    )
    assert await holder.url() is None

    assert await holder.upload(data.ljust(LIMIT_BYTES, b"\0"))


def frame(width: int, height: int) -> bytes:
    """A JPEG that says how large it is, and little else."""
    data = encoded(quadrants())
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]


def never(*_arguments: object, **_options: object) -> None:
    """Stands where nothing may come."""
    pytest.fail("it was opened")


TOO_MANY_PIXELS = {
    "a PNG of 50,000 by 50,000 in a few bytes": png(50_000, 50_000, 8, 2, [b"\0" * 1000]),
    "a PNG of all the pixels that can be written": png(2**31 - 1, 2**31 - 1, 1, 0, []),
    "a PNG of one pixel row too many": png(8_000, 8_001, 1, 0, []),
    "a JPEG of 65,500 by 65,500": frame(65_500, 65_500),
    "a JPEG of one pixel column too many": frame(8_001, 8_000),
}


@pytest.mark.parametrize("data", TOO_MANY_PIXELS.values(), ids=TOO_MANY_PIXELS.keys())
async def test_more_than_64_megapixels_are_refused_before_anything_is_decoded(
    holder: AvatarHolder, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "open", never)
    error = await holder.refused(data)
    assert error["code"] == "FILE_TOO_LARGE"
    assert "64 megapixels" in error["message"]


async def test_64_megapixels_are_taken(holder: AvatarHolder) -> None:
    picture = Image.new("1", (8_000, 8_000), 1)
    await holder.upload(encoded(picture, "PNG"))
    assert decoded(await holder.picture()).size == (1024, 1024)


# ------------------------------------------------------------------ small files that cost much

_ZEROS = zlib.compress(bytes(64_000_000))
_SMALL_PNG = encoded(quadrants(), "PNG")
_SMALL_JPEG = encoded(quadrants())
_PASSES = encoded(quadrants(), progressive=True)
_ONE_PASS = _PASSES[_PASSES.rindex(b"\xff\xda") : -2]
HARMLESS = {
    "a text that unpacks to 64 MB": after_header(_SMALL_PNG, chunk(b"zTXt", b"Comment\0\0" + _ZEROS)),
    "a thousand such texts": after_header(_SMALL_PNG, *[chunk(b"zTXt", b"Comment\0\0" + _ZEROS[:10_000])] * 1000),
    "an international one": after_header(_SMALL_PNG, chunk(b"iTXt", b"Comment\0\1\0\0\0" + _ZEROS)),
    "a profile that unpacks to 64 MB": after_header(_SMALL_PNG, chunk(b"iCCP", b"x\0\0" + _ZEROS)),
    "a profile that does not unpack": after_header(_SMALL_PNG, chunk(b"iCCP", b"x\0\0nonsense")),
    "a note of a megabyte": after_header(_SMALL_PNG, chunk(b"eXIf", b"II*\0" + b"\xff" * 1_000_000)),
    "a profile of 5 MB in a JPEG": after_start(
        _SMALL_JPEG,
        *(segment(0xE2, b"ICC_PROFILE\0" + bytes((number, 100)) + b"x" * 60_000) for number in range(1, 100)),
    ),
    "notes that make no sense": after_start(_SMALL_JPEG, segment(0xE1, b"Exif\0\0MM\0*" + b"\xff" * 1000)),
    "notes that lead in circles": after_start(
        _SMALL_JPEG, segment(0xE1, b"Exif\0\0II*\0\x08\0\0\0\1\0\x69\x87\4\0\1\0\0\0\x08\0\0\0\x08\0\0\0")
    ),
    "a profile that makes no sense": after_start(_SMALL_JPEG, segment(0xE2, b"ICC_PROFILE\0\1\1nonsense")),
    "a profile for another kind of picture": encoded(quadrants(mode="L"), icc_profile=srgb_profile()),
    "something behind the end of a JPEG": _SMALL_JPEG + b"<html><script>alert(1)</script>" * 1000,
    "something behind the end of a PNG": _SMALL_PNG + b"PK\x03\x04" * 1000,
}
COSTLY = {
    "a hundred passes": _PASSES[:-2] + _ONE_PASS * 100 + b"\xff\xd9",
    "ten thousand passes": _PASSES[:-2] + _ONE_PASS * 10_000 + b"\xff\xd9",
    "a million segments": after_start(_SMALL_JPEG, b"\xff\xfe\0\2" * 1_000_000),
    "a million chunks": after_header(_SMALL_PNG, chunk(b"tEXt") * 1_000_000),
    "a million pieces": after_header(_SMALL_PNG, chunk(b"IDAT") * 1_000_000),
}


@pytest.mark.parametrize("data", HARMLESS.values(), ids=HARMLESS.keys())
async def test_what_is_packed_in_beside_the_picture_stays_behind(holder: AvatarHolder, data: bytes) -> None:
    await holder.upload(data)
    picture = await holder.picture()
    assert len(picture) < 20_000
    assert b"script" not in picture
    assert b"PK\x03\x04" not in picture


@pytest.mark.parametrize("data", COSTLY.values(), ids=COSTLY.keys())
async def test_a_file_made_to_keep_a_decoder_busy_is_damaged(
    holder: AvatarHolder, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(data) <= LIMIT_BYTES
    monkeypatch.setattr(Image, "open", never)
    error = await holder.refused(data)
    assert error["code"] == "FILE_TYPE"
    assert "damaged" in error["message"]


async def test_a_million_fill_bytes_are_passed_over(holder: AvatarHolder) -> None:
    await holder.upload(after_start(_SMALL_JPEG, b"\xff" * 1_000_000))


# ------------------------------------------------------------------ damaged


def _noise() -> Image.Image:
    return Image.effect_noise((300, 300), 80).convert("RGB")


_JPEG, _PROGRESSIVE, _PNG = encoded(_noise()), encoded(_noise(), progressive=True), encoded(_noise(), "PNG")
_IDAT = _PNG.index(b"IDAT")
DAMAGED = {
    **{f"a JPEG cut to {part} %": _JPEG[: len(_JPEG) * part // 100] for part in (1, 5, 30, 60, 99)},
    **{
        f"a progressive JPEG cut to {part} %": _PROGRESSIVE[: len(_PROGRESSIVE) * part // 100]
        for part in (5, 30, 60, 99)
    },
    **{f"a PNG cut to {part} %": _PNG[: len(_PNG) * part // 100] for part in (1, 30, 60, 99)},
    "a PNG without its last byte": _PNG[:-1],
    "a PNG without its end": _PNG[:-12],
    "a PNG's beginning": PNG,
    "a JPEG's beginning": b"\xff\xd8\xff",
    "a JPEG of an end": b"\xff\xd8\xff\xd9",
    "a JPEG without a picture": b"\xff\xd8" + segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0") + b"\xff\xd9",
    "a JPEG in a JPEG": after_start(_JPEG, b"\xff\xd8"),
    "a JPEG of two sizes": after_start(_JPEG, segment(0xC0, b"\x08\0\1\0\1\1\1\x11\0")),
    "a JPEG of no size": frame(0, 10),
    "a JPEG without tables": b"\xff\xd8" + _JPEG[_JPEG.index(b"\xff\xc0") :],
    "a PNG with a bit turned": _PNG[: _IDAT + 999] + bytes((_PNG[_IDAT + 999] ^ 1,)) + _PNG[_IDAT + 1000 :],
    "a PNG with a wrong checksum": _PNG[: _IDAT - 4] + chunk(b"IDAT", b"")[:-1] + b"\0" + _PNG[_IDAT - 4 :],
    "a PNG with nonsense in it": PNG + header(10, 10, 8, 2) + chunk(b"IDAT", b"nonsense") + chunk(b"IEND"),
    "a PNG without anything in it": PNG + header(10, 10, 8, 2) + chunk(b"IEND"),
    "a PNG of no size": png(0, 10, 8, 2, []),
    "a PNG with its header last": PNG + chunk(b"IDAT") + header(1, 1, 8, 2) + chunk(b"IEND"),
    "a PNG with two headers": after_header(_PNG, header(60_000, 60_000, 8, 2)),
    "a PNG with a short header": PNG + chunk(b"IHDR", b"\0\0\0\1") + chunk(b"IEND"),
    "a PNG with a long chunk": PNG + header(1, 1, 8, 2) + b"\xff\xff\xff\xffIDAT",
    "a PNG of a kind that there is none of": png(10, 10, 7, 5, [bytes(10)] * 10),
}


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED.keys())
async def test_a_picture_that_is_damaged_or_cut_off_is_said_to_be(holder: AvatarHolder, data: bytes) -> None:
    error = await holder.refused(data)
    assert (error["code"], "damaged" in error["message"]) == ("FILE_TYPE", True)
    assert await holder.url() is None
