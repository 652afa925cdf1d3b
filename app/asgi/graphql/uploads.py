"""Files beside an operation: the GraphQL multipart request specification, read strictly.

A cross-site form could send such a body without asking first, so a header that no form can set is required.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Final, TypeVar, cast

import orjson
from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from app.asgi.graphql import request_parser
from app.asgi.graphql.graphql_settings import GraphQLSettings
from app.asgi.graphql.http_answers import PREFLIGHT_HEADERS, HttpRefusal
from app.asgi.graphql.request_bodies import counted, in_time
from app.asgi.graphql.request_parser import GraphQLRequest, JsonObject, MalformedRequest
from app.errors import RateLimited, Unavailable

T = TypeVar("T")

MULTIPART: Final = "multipart/form-data"

_FIELDS: Final = ("operations", "map")
_RETRY_SECONDS: Final = 10
# RFC 2046: so many of these, the last no space
_MOST_BOUNDARY_CHARACTERS: Final = 70
_BOUNDARY: Final = re.compile(
    rf"[0-9A-Za-z'()+_,\-./:=? ]{{0,{_MOST_BOUNDARY_CHARACTERS - 1}}}[0-9A-Za-z'()+_,\-./:=?]"
)
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,5}")


def boundary_of(request: Request) -> str:
    """The boundary between the parts of a multipart request that may be read.

    Raises HttpRefusal without a header that shows that no form sent it, and for a content type that makes no sense.
    """
    if not any(request.headers.get(name, "").strip() for name in PREFLIGHT_HEADERS):
        raise HttpRefusal(400, "Uploads need a header that no form can send, such as GraphQL-Require-Preflight: 1.")
    _, parameters = parse_options_header(request.headers["content-type"])
    boundary = parameters.pop(b"boundary", b"").decode("latin-1")
    if not boundary:
        raise HttpRefusal(400, "The boundary is missing from the content type.")
    if not _BOUNDARY.fullmatch(boundary):
        raise HttpRefusal(
            400,
            f"The boundary is malformed: it has 1 to {_MOST_BOUNDARY_CHARACTERS} letters, digits and '()+_,-./:=?.",
        )
    return boundary


@dataclass(frozen=True, slots=True)
class UploadSlots:
    """How many uploads run at once: each may take as much disk as a body has bytes, and as long as a slow client likes."""

    settings: GraphQLSettings
    _taken: Counter[str] = field(default_factory=Counter[str])

    @contextmanager
    def taken(self, credentials: str) -> Generator[None]:
        """Take one for whoever has these credentials. Raises RateLimited when they have as many as one may, Unavailable when all
        are taken."""
        if self._taken[credentials] >= self.settings.uploads_at_once_each:
            raise RateLimited(_RETRY_SECONDS)
        if self._taken.total() >= self.settings.uploads_at_once:
            raise Unavailable("Too many uploads are under way; try again.")
        self._taken[credentials] += 1
        try:
            yield
        finally:
            self._taken[credentials] -= 1
            if not self._taken[credentials]:
                del self._taken[credentials]


@asynccontextmanager
async def upload(request: Request, boundary: str, settings: GraphQLSettings) -> AsyncGenerator[GraphQLRequest]:
    """The request with its files in place of the nulls that `map` points to; the files are gone at the end.

    Raises HttpRefusal for a body that is too large or slow, and MalformedRequest for whatever is wrong with its shape.
    """
    stream = _from_first_boundary(counted(request, settings.upload_bytes), boundary.encode("latin-1"))
    parser = _Parser(Headers({"content-type": f'{MULTIPART}; boundary="{boundary}"'}), stream, settings)
    try:
        async with in_time(settings.upload_seconds):
            await parser.read()
        yield _assembled(parser.fields, parser.uploads)
    finally:
        parser.close()


async def _from_first_boundary(stream: AsyncGenerator[bytes], boundary: bytes) -> AsyncGenerator[bytes]:
    """A body without its preamble, which RFC 2046 allows as it does an epilogue, but which the parser doesn't know."""
    line = b"\r\n--" + boundary
    held = b"\r\n"
    async for chunk in stream:
        held += chunk
        start = held.find(line)
        if start >= 0:
            yield held[start + len(b"\r\n") :]
            break
        held = held[1 - len(line) :]
    async for chunk in stream:
        yield chunk


class _Parser(MultiPartParser):
    """Starlette's parser, which also tells whether the last boundary came, and what the fields are as bytes."""

    def __init__(self, headers: Headers, stream: AsyncGenerator[bytes], settings: GraphQLSettings) -> None:
        most_fields = len(_FIELDS) + settings.upload_files
        super().__init__(
            headers, stream, max_files=settings.upload_files, max_fields=most_fields, max_part_size=settings.body_bytes
        )
        self.fields: list[tuple[str, bytes]] = []
        self.uploads: list[tuple[str, UploadFile]] = []
        self._is_complete = False

    def on_part_end(self) -> None:
        part = self._current_part
        if part.file is None:
            self.fields.append((part.field_name, bytes(part.data)))
        else:
            self.uploads.append((part.field_name, part.file))
        super().on_part_end()

    def on_end(self) -> None:
        self._is_complete = True

    async def read(self) -> None:
        """Read to the end. Raises MalformedRequest for a body that is none of multipart, or is cut off."""
        try:
            await self.parse()
        except MultiPartException as error:
            raise MalformedRequest(f"The multipart body is malformed: {error.message}") from None
        if not self._is_complete:
            raise MalformedRequest("The multipart body ends before its last boundary.")

    def close(self) -> None:
        """Close and so delete every file, those that never ended too."""
        for file in self._files_to_close_on_error:
            file.close()


def _assembled(fields: list[tuple[str, bytes]], uploads: list[tuple[str, UploadFile]]) -> GraphQLRequest:
    texts, files = _by_name(fields), _by_name(uploads)
    for name in texts:
        if name not in _FIELDS:
            raise MalformedRequest(f"{_quoted(name)} is neither operations nor map; a file's part needs a filename.")
    for name in _FIELDS:
        if name not in texts:
            raise MalformedRequest(f"The field {name} is missing.")
    request = request_parser.read_parameters(request_parser.read_object(texts["operations"], "field operations"))
    paths = _paths(request_parser.read_object(texts["map"], "field map"))
    for name in files.keys() - paths.keys():
        raise MalformedRequest(f"The file {_quoted(name)} is not in the map.")
    for name, targets in paths.items():
        if name not in files:
            raise MalformedRequest(f"The map has {_quoted(name)}, but no such file came.")
        for target in targets:
            _put(request.variables, target, files[name])
    return request


def _by_name(parts: list[tuple[str, T]]) -> dict[str, T]:
    named = dict(parts)
    if len(named) < len(parts):
        raise MalformedRequest("Two parts of the multipart body have the same name.")
    return named


def _paths(members: JsonObject) -> Mapping[str, list[str]]:
    for name, paths in members.items():
        is_list = isinstance(paths, list) and bool(cast("list[object]", paths))
        if not is_list or not all(isinstance(path, str) for path in cast("list[object]", paths)):
            raise MalformedRequest(f"The map must give a list of paths for {_quoted(name)}.")
    return cast("Mapping[str, list[str]]", members)


def _put(variables: JsonObject, path: str, file: UploadFile) -> None:
    """Put the file where the path leads, which must be a null that is there."""
    root, _, steps = path.partition(".")
    *inner, last = steps.split(".")
    place: object = variables if root == "variables" and steps else None
    for step in inner:
        place = _child(place, step)
    if _child(place, last, absent=file) is not None:
        raise MalformedRequest(f"The map's path {_quoted(path)} must lead to a null in the variables.")
    if isinstance(place, dict):
        cast("JsonObject", place)[last] = file
    else:
        cast("list[object]", place)[int(last)] = file


def _child(place: object, step: str, absent: object = None) -> object:
    if isinstance(place, dict):
        return cast("JsonObject", place).get(step, absent)
    if isinstance(place, list) and _INDEX.fullmatch(step):
        items = cast("list[object]", place)
        return items[int(step)] if int(step) < len(items) else absent
    return absent


def _quoted(name: str) -> str:
    """A name from outside, short enough to be read in a message."""
    return orjson.dumps(name if len(name) <= 60 else f"{name[:60]}…").decode()
