"""Processing pictures: from an uploaded file to the master, an upright square without metadata, and from that to smaller sizes."""

from __future__ import annotations

import io
from typing import Any, Final, cast

from PIL import Image, ImageCms

from app.accounts.avatars.image_formats import PictureDamaged, check_picture

LARGEST_SIDE: Final = 1024

_MASTER_QUALITY: Final = 92
_SMALLER_QUALITY: Final = 85
# A decoded picture is converted so many rows at a time: two copies of a whole one would take half a gigabyte.
_BAND_ROWS: Final = 256
_LARGEST_PROFILE_BYTES: Final = 1_048_576

_ORIENTATION: Final = 0x0112
_ROTATIONS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def make_master(data: bytes) -> bytes:
    """The master that is stored of an uploaded file: its middle as a square of `LARGEST_SIDE` pixels at most, upright, in sRGB,
    without the file's metadata; as a JPEG, or as a PNG where it is transparent somewhere.

    Raises what `check_picture` raises, and `PictureDamaged` when the file can't be decoded to its end.
    """
    file = check_picture(data)
    try:
        with Image.open(io.BytesIO(file.data), formats=(file.format,)) as image:
            profile = image.info.get("icc_profile")
            # lets Pillow decode a JPEG at half its size or less, as long as that is twice the size of the master
            image.draft(None, (2 * LARGEST_SIDE, 2 * LARGEST_SIDE))
            image.load()
            square = _to_srgb(_center_square(image), profile)
            return _encode(_rotate_upright(square, image), _MASTER_QUALITY)
    except MemoryError:
        raise
    except Exception as error:  # a decoder may raise anything for a damaged file
        raise PictureDamaged from error


def resize(master: bytes, side: int) -> bytes:
    """A master scaled down to `side` pixels, never up."""
    with Image.open(io.BytesIO(master), formats=("JPEG", "PNG")) as image:
        image.load()
        target = min(side, image.width)
        return _encode(image.resize((target, target), Image.Resampling.LANCZOS), _SMALLER_QUALITY)


def media_type_of(picture: bytes) -> str:
    """The media type of a picture that this module made."""
    return "image/png" if picture.startswith(b"\x89PNG") else "image/jpeg"


def _center_square(image: Image.Image) -> Image.Image:
    """The middle of a decoded picture as a square: in bands of rows averaged down to twice the target size, then resampled."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    factor = max(1, side // (2 * LARGEST_SIDE))
    mode = _working_mode(image)
    reduced = Image.new(mode, (side // factor, side // factor))
    width = height = side // factor * factor
    for y in range(0, height, _BAND_ROWS * factor):
        rows = min(_BAND_ROWS * factor, height - y)
        band = image.crop((left, top + y, left + width, top + y + rows))
        reduced.paste(_to_mode(band, mode).reduce(factor), (0, y // factor))
    target = min(reduced.width, LARGEST_SIDE)
    return reduced.resize((target, target), Image.Resampling.LANCZOS)


def _working_mode(image: Image.Image) -> str:
    if image.mode == "CMYK":
        return "CMYK"
    if image.has_transparency_data and not image.mode.startswith("I"):
        return "RGBA"
    return "L" if image.mode in ("1", "L") or image.mode.startswith("I") else "RGB"


def _to_mode(band: Image.Image, mode: str) -> Image.Image:
    if band.mode.startswith("I;16"):
        # Pillow would show all above 255 of 65,535 as white: take the upper byte of each pixel
        return Image.frombytes("L", band.size, band.tobytes()[1 if band.mode != "I;16B" else 0 :: 2])
    return band if band.mode == mode else band.convert(mode)


def _to_srgb(square: Image.Image, profile: object) -> Image.Image:
    """The picture in sRGB, which screens assume; a colour profile that can't be used is ignored."""
    mode = "RGBA" if square.mode == "RGBA" else "RGB"
    if isinstance(profile, bytes) and 0 < len(profile) <= _LARGEST_PROFILE_BYTES:
        try:
            embedded = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            srgb = ImageCms.ImageCmsProfile(cast("Any", ImageCms.createProfile("sRGB")))
            converted = ImageCms.profileToProfile(square, embedded, srgb, outputMode=mode)
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            converted = None
        if converted is not None:
            return converted
    return square.convert("RGB") if square.mode == "CMYK" else square


def _rotate_upright(square: Image.Image, image: Image.Image) -> Image.Image:
    """The square rotated by the orientation in the EXIF data, which may be invalid and is then ignored."""
    try:
        rotation = _ROTATIONS.get(image.getexif().get(_ORIENTATION, 1))
    except Exception:
        return square
    return square if rotation is None else square.transpose(rotation)


def _encode(picture: Image.Image, quality: int) -> bytes:
    if picture.mode == "RGBA" and picture.getchannel("A").getextrema() == (255, 255):
        picture = picture.convert("RGB")
    # Pillow would save the profile and comments that it finds here
    picture.info.clear()
    output = io.BytesIO()
    if picture.mode == "RGBA":
        picture.save(output, "PNG", optimize=True)
    else:
        # not optimized: for that Pillow needs the whole file in a buffer, which it makes too small for a picture with much detail
        picture.save(output, "JPEG", quality=quality, subsampling=0)
    return output.getvalue()
