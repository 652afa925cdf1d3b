"""Avatars, as `<img>` asks for them: by unguessable addresses whose content never changes."""

from __future__ import annotations

from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from app.accounts.avatars.image_processing import media_type_of
from app.accounts.avatars.stored_images import AvatarImages
from app.object_storage import StorageUnavailable

_HEADERS: Final = {
    "cache-control": "public, max-age=31536000, immutable",
    "content-disposition": "inline",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    # pages of the product's own origin show them
    "cross-origin-resource-policy": "cross-origin",
    "x-content-type-options": "nosniff",
}


def file_routes(images: AvatarImages) -> list[BaseRoute]:
    """`GET` and `HEAD /avatars/{digest}/{size}`: 404 for what isn't there, 503 while the storage can't be reached."""

    async def avatar(request: Request) -> Response:
        digest, size = request.path_params["digest"], request.path_params["size"]
        try:
            picture = await images.read(digest, int(size)) if _is_plain_number(size) else None
        except StorageUnavailable:
            raise HTTPException(503, "Pictures can't be reached right now; try again.") from None
        if picture is None:
            raise HTTPException(404)
        headers = {**_HEADERS, "etag": f'"{digest}-{size}"'}
        if _is_known(request.headers.get("if-none-match", ""), headers["etag"]):
            return Response(status_code=304, headers=headers)
        return Response(picture, headers=headers, media_type=media_type_of(picture))

    return [Route("/avatars/{digest}/{size}", avatar)]


def _is_plain_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 4 and not text.startswith("0")


def _is_known(if_none_match: str, etag: str) -> bool:
    return any(each.strip().removeprefix("W/") in ("*", etag) for each in if_none_match.split(","))
