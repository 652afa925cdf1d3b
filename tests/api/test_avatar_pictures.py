"""Every kind of picture through the API: in its colours, upright and square, and with nothing told beside it."""

from __future__ import annotations

import io
import random
import zlib
from typing import Any

import pytest
from PIL import Image, ImageDraw

from app.accounts.avatars.stored_images import SIZES
from tests.support.avatars import AvatarHolder
from tests.support.pictures import (
    BLUE,
    GREEN,
    PNG,
    RED,
    after_header,
    after_start,
    animated,
    chunk,
    corners,
    decoded,
    encoded,
    header,
    nearest,
    png,
    quadrants,
    segment,
    srgb_profile,
    swapped_profile,
    with_exif,
)

UPRIGHT = ["red", "green", "blue", "white"]


async def uploaded(holder: AvatarHolder, data: bytes) -> Image.Image:
    """The largest avatar that came of a file."""
    await holder.upload(data)
    return decoded(await holder.picture())


# ------------------------------------------------------------------ every kind of picture


def _sixteen(colours: int, channels: int) -> bytes:
    """Red, green, blue and white where there are colours, and grays elsewhere, in 16 bits."""
    picture = quadrants(mode={1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[channels])
    flat = picture.tobytes()
    rows = [flat[at : at + 80 * channels] for at in range(0, len(flat), 80 * channels)]
    return png(80, 80, 16, colours, (b"".join(bytes((value, 7)) for value in row) for row in rows))


def _palette(**options: Any) -> bytes:
    return encoded(quadrants().quantize(16), "PNG", **options)


COLOURS = {
    "RGB in a JPEG": encoded(quadrants()),
    "progressive": encoded(quadrants(), progressive=True),
    "with fewer colours than pixels": encoded(quadrants(), subsampling=2),
    "with restarts": encoded(quadrants(), restart_marker_blocks=1),
    "CMYK, inverted as Adobe writes it": encoded(quadrants(mode="CMYK")),
    "RGB in a PNG": encoded(quadrants(), "PNG"),
    "with a palette": _palette(),
    "with a palette of 4 bits": encoded(quadrants().quantize(4), "PNG", bits=2),
    "RGB of 16 bits": _sixteen(2, 3),
    "RGB and alpha of 16 bits": _sixteen(6, 4),
    "RGB and alpha": encoded(quadrants(mode="RGBA"), "PNG"),
    "with a profile that changes nothing": encoded(quadrants(), icc_profile=srgb_profile()),
    "a PNG with a profile that changes nothing": encoded(quadrants(), "PNG", icc_profile=srgb_profile()),
    "with one colour see-through": encoded(quadrants(), "PNG", transparency=(1, 2, 3)),
}
GRAYS = {
    "gray in a JPEG": encoded(quadrants(mode="L")),
    "gray in a PNG": encoded(quadrants(mode="L"), "PNG"),
    "gray of 16 bits": _sixteen(0, 1),
    "gray and alpha": encoded(quadrants(mode="LA"), "PNG"),
    "gray and alpha of 16 bits": _sixteen(4, 2),
}


@pytest.mark.parametrize("data", COLOURS.values(), ids=COLOURS.keys())
async def test_every_kind_of_colour_picture_keeps_its_colours(holder: AvatarHolder, data: bytes) -> None:
    assert corners(await uploaded(holder, data)) == UPRIGHT


@pytest.mark.parametrize("data", GRAYS.values(), ids=GRAYS.keys())
async def test_every_kind_of_gray_picture_keeps_its_grays(holder: AvatarHolder, data: bytes) -> None:
    picture = (await uploaded(holder, data)).convert("L")
    expected = quadrants(mode="L")
    for place in ((20, 20), (60, 20), (20, 60), (60, 60)):
        assert abs(int(str(picture.getpixel(place))) - int(str(expected.getpixel(place)))) < 6


async def test_black_and_white_stays_so(holder: AvatarHolder) -> None:
    picture = Image.new("1", (60, 60), 1)
    picture.paste(0, (0, 0, 60, 30))
    assert corners(await uploaded(holder, encoded(picture, "PNG"))) == ["black", "black", "white", "white"]


async def test_an_interlaced_picture_is_whole(holder: AvatarHolder) -> None:
    # one pixel, which belongs to the first of the seven passes
    data = PNG + header(1, 1, 8, 2, interlaced=1) + chunk(b"IDAT", zlib.compress(b"\0" + bytes(GREEN))) + chunk(b"IEND")
    assert nearest((await uploaded(holder, data)).getpixel((0, 0))) == "green"


async def test_of_an_animation_the_first_picture_is_taken(holder: AvatarHolder) -> None:
    picture = await uploaded(holder, animated())
    assert corners(picture) == ["red"] * 4
    assert getattr(picture, "n_frames", 1) == 1


@pytest.mark.parametrize("kind", ["alpha", "a palette", "one colour"])
async def test_what_is_see_through_stays_so(holder: AvatarHolder, kind: str) -> None:
    picture = Image.new("RGBA", (60, 60), (0, 0, 0, 0))
    ImageDraw.Draw(picture).ellipse((10, 10, 50, 50), fill=(*RED, 255))
    if kind == "alpha":
        data = encoded(picture, "PNG")
    elif kind == "a palette":
        data = encoded(picture.quantize(8), "PNG")
    else:
        flat = Image.new("RGB", (60, 60), GREEN)
        flat.paste(RED, (10, 10, 50, 50))
        data = encoded(flat, "PNG", transparency=GREEN)

    shown = await uploaded(holder, data)
    assert (shown.format, shown.mode) == ("PNG", "RGBA")
    pixel: Any = shown.getpixel((30, 30))
    assert (nearest(pixel[:3]), pixel[3]) == ("red", 255)
    assert shown.getpixel((0, 0))[3] == 0  # pyright: ignore[reportOptionalSubscript, reportIndexIssue]


async def test_the_colours_of_a_profile_are_turned_into_those_of_screens(holder: AvatarHolder) -> None:
    for format in ("JPEG", "PNG"):  # noqa: A001
        shown = await uploaded(holder, encoded(quadrants(), format, icc_profile=swapped_profile()))
        assert corners(shown) == ["green", "red", "blue", "white"]
        assert "icc_profile" not in shown.info


# ------------------------------------------------------------------ upright, square, and silent


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", range(1, 9))
async def test_a_picture_is_turned_upright(holder: AvatarHolder, orientation: int, format: str) -> None:  # noqa: A002
    undone = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    held = quadrants() if orientation == 1 else quadrants().transpose(undone[orientation])
    shown = await uploaded(holder, encoded(held, format, exif=with_exif(orientation)))
    assert corners(shown) == UPRIGHT


@pytest.mark.parametrize("orientation", [0, 9, 65_535])
async def test_an_orientation_that_there_is_not_turns_nothing(holder: AvatarHolder, orientation: int) -> None:
    assert corners(await uploaded(holder, encoded(quadrants(), exif=with_exif(orientation)))) == UPRIGHT


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
@pytest.mark.parametrize("size", [1024, 64])
async def test_places_names_and_notes_are_gone(holder: AvatarHolder, format: str, size: int) -> None:  # noqa: A002
    data = encoded(
        quadrants(mode="RGBA" if format == "PNG" else "RGB"), format, exif=with_exif(6), icc_profile=srgb_profile()
    )
    if format == "PNG":
        transparent = quadrants(mode="RGBA")
        transparent.putpixel((0, 0), (0, 0, 0, 0))
        data = encoded(transparent, "PNG", exif=with_exif(6), icc_profile=srgb_profile())
        data = after_header(data, chunk(b"tEXt", b"Author\0SECRET NAME"), chunk(b"tIME", b"\x07\xea\1\1\1\1\1"))
    else:
        data = after_start(
            data,
            segment(0xFE, b"SECRET COMMENT"),
            segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>SECRET</x:xmpmeta>"),
            segment(0xED, b"Photoshop 3.0\0SECRET"),
        )
    assert data.count(b"SECRET") >= 2

    await holder.upload(data)
    written = await holder.picture(size)
    shown = decoded(written)
    assert shown.format == format
    assert b"SECRET" not in written
    assert not dict(shown.getexif())
    assert set(shown.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


@pytest.mark.parametrize(("width", "height"), [(300, 100), (100, 300), (3_000, 1_100), (4_999, 2_501)])
async def test_the_middle_is_shown_as_a_square(holder: AvatarHolder, width: int, height: int) -> None:
    picture = Image.new("RGB", (width, height), BLUE)
    side = min(width, height)
    middle = quadrants(side, side)
    picture.paste(middle, ((width - side) // 2, (height - side) // 2))
    shown = await uploaded(holder, encoded(picture))
    assert shown.size == (min(side, 1024),) * 2
    assert corners(shown) == UPRIGHT
    edge: Any = shown.getpixel((2, 2))
    assert nearest(edge) == "red"


@pytest.mark.parametrize("size", [(1, 1), (1, 5_000), (30_000, 2), (1_023, 1_025), (2_047, 2_048), (2_049, 4_100)])
async def test_pictures_of_all_shapes_are_taken(holder: AvatarHolder, size: tuple[int, int]) -> None:
    shown = await uploaded(holder, encoded(Image.new("RGB", size, GREEN), "PNG"))
    assert shown.size == (min(*size, 1024),) * 2
    assert corners(shown) == ["green"] * 4


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
async def test_a_picture_full_of_grain_is_taken_and_shown_in_every_size(holder: AvatarHolder, mode: str) -> None:
    grain = random.Random(1).randbytes(1024 * 1024 * len(mode))
    await holder.upload(encoded(Image.frombytes(mode, (1024, 1024), grain), "PNG"))
    for size in SIZES:
        assert decoded(await holder.picture(size)).size == (size, size)


async def test_one_picture_of_a_file_of_several_is_taken(holder: AvatarHolder) -> None:
    written = io.BytesIO()
    quadrants().save(written, "MPO", save_all=True, append_images=[Image.new("RGB", (80, 80), BLUE)])
    assert corners(await uploaded(holder, written.getvalue())) == UPRIGHT
