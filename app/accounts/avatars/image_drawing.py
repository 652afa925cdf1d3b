"""Pictures of people: from what a camera or a program wrote to a square, upright one of our own making, and smaller ones of it."""

from __future__ import annotations

import io
from typing import Any, Final, cast

from PIL import Image, ImageCms

from app.accounts.avatars.image_formats import PictureDamaged, judged

LARGEST_SIDE: Final = 1024

_MASTER_QUALITY: Final = 92
_SMALLER_QUALITY: Final = 85
# A decoded picture is turned into the mode it is worked on in this many rows at a time: twice a whole one would be half a gigabyte.
_BAND_ROWS: Final = 256
_LARGEST_PROFILE_BYTES: Final = 1_048_576

_ORIENTATION: Final = 0x0112
_UPRIGHT: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def master_of(data: bytes) -> bytes:
    """The picture that is kept of an uploaded file: its middle as a square of 1024 pixels at most, upright, in sRGB, with nothing
    that the file told beside it; a JPEG, or a PNG where it is transparent somewhere.

    Raises what `judged` raises, and `PictureDamaged` when it can't be decoded to its end.
    """
    file = judged(data)
    try:
        with Image.open(io.BytesIO(file.data), formats=(file.format,)) as image:
            profile = image.info.get("icc_profile")
            # a JPEG can be decoded at half its size or less, as long as more than enough pixels remain
            image.draft(None, (2 * LARGEST_SIDE, 2 * LARGEST_SIDE))
            image.load()
            square = _in_srgb(_middle(image), profile)
            return _encoded(_upright(square, image), _MASTER_QUALITY)
    except MemoryError:
        raise
    except Exception as error:  # a decoder fed with nonsense raises anything
        raise PictureDamaged from error


def smaller(master: bytes, side: int) -> bytes:
    """A master at `side` pixels, never larger than it is."""
    with Image.open(io.BytesIO(master), formats=("JPEG", "PNG")) as image:
        image.load()
        wanted = min(side, image.width)
        return _encoded(image.resize((wanted, wanted), Image.Resampling.LANCZOS), _SMALLER_QUALITY)


def media_type_of(picture: bytes) -> str:
    """The media type of a picture of ours."""
    return "image/png" if picture.startswith(b"\x89PNG") else "image/jpeg"


def _middle(image: Image.Image) -> Image.Image:
    """The middle of a decoded picture as a square, averaged down to twice the wanted size in bands, then resampled."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    factor = max(1, side // (2 * LARGEST_SIDE))
    mode = _working_mode(image)
    reduced = Image.new(mode, (side // factor, side // factor))
    width = height = side // factor * factor
    for y in range(0, height, _BAND_ROWS * factor):
        rows = min(_BAND_ROWS * factor, height - y)
        band = image.crop((left, top + y, left + width, top + y + rows))
        reduced.paste(_in_mode(band, mode).reduce(factor), (0, y // factor))
    wanted = min(reduced.width, LARGEST_SIDE)
    return reduced.resize((wanted, wanted), Image.Resampling.LANCZOS)


def _working_mode(image: Image.Image) -> str:
    if image.mode == "CMYK":
        return "CMYK"
    if image.has_transparency_data and not image.mode.startswith("I"):
        return "RGBA"
    return "L" if image.mode in ("1", "L") or image.mode.startswith("I") else "RGB"


def _in_mode(band: Image.Image, mode: str) -> Image.Image:
    if band.mode.startswith("I;16"):
        # Pillow would cut off all that is brighter than 255 of 65,535: the upper byte of each pixel is what shows
        return Image.frombytes("L", band.size, band.tobytes()[1 if band.mode != "I;16B" else 0 :: 2])
    return band if band.mode == mode else band.convert(mode)


def _in_srgb(square: Image.Image, profile: object) -> Image.Image:
    """The picture in the colours that every screen takes it for; a profile that makes no sense is passed over."""
    plain = "RGBA" if square.mode == "RGBA" else "RGB"
    if isinstance(profile, bytes) and 0 < len(profile) <= _LARGEST_PROFILE_BYTES:
        try:
            written_in = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            srgb = ImageCms.ImageCmsProfile(cast("Any", ImageCms.createProfile("sRGB")))
            converted = ImageCms.profileToProfile(square, written_in, srgb, outputMode=plain)
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            converted = None
        if converted is not None:
            return converted
    return square.convert("RGB") if square.mode == "CMYK" else square


def _upright(square: Image.Image, image: Image.Image) -> Image.Image:
    """The square turned as the camera that took the picture was held; what the camera wrote may be nonsense."""
    try:
        turn = _UPRIGHT.get(image.getexif().get(_ORIENTATION, 1))
    except Exception:
        return square
    return square if turn is None else square.transpose(turn)


def _encoded(picture: Image.Image, quality: int) -> bytes:
    if picture.mode == "RGBA" and picture.getchannel("A").getextrema() == (255, 255):
        picture = picture.convert("RGB")
    # profiles and notes travel along in here
    picture.info.clear()
    written = io.BytesIO()
    if picture.mode == "RGBA":
        picture.save(written, "PNG", optimize=True)
    else:
        # to optimize it Pillow needs the whole file in a buffer, which it makes too small for a picture full of grain
        picture.save(written, "JPEG", quality=quality, subsampling=0)
    return written.getvalue()
