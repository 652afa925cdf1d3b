"""Identifiers: time-ordered UUIDs inside, opaque global ids outside."""

from __future__ import annotations

import base64
import binascii
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from app.errors import NotFound

_RANDOM_BITS = 74


def uuid7() -> UUID:
    """A UUID version 7 (RFC 9562): milliseconds since 1970 first, so that new rows lie together in an index."""
    milliseconds = time.time_ns() // 1_000_000
    random = secrets.randbits(_RANDOM_BITS)
    value = (milliseconds & 0xFFFF_FFFF_FFFF) << 80
    value |= 0x7 << 76
    value |= (random >> 62) << 64
    value |= 0b10 << 62
    value |= random & 0x3FFF_FFFF_FFFF_FFFF
    return UUID(int=value)


def made_at(identifier: UUID) -> datetime:
    """When a UUID version 7 was made, to the millisecond."""
    return datetime.fromtimestamp((identifier.int >> 80) / 1000, UTC)


@dataclass(frozen=True, slots=True)
class GlobalId:
    """What an `ID` of the API holds: a type, and a row's id or a catalog code, with its workspace, where it belongs to one."""

    type: str
    id: UUID | str
    workspace_id: UUID | None = None

    def __str__(self) -> str:
        if isinstance(self.id, str):
            owner = self.workspace_id
            payload = b"c" + self.id.encode() if owner is None else b"r" + owner.bytes + self.id.encode()
        elif self.workspace_id is None:
            payload = b"u" + self.id.bytes
        else:
            payload = b"w" + self.workspace_id.bytes + self.id.bytes
        return f"{self.type}_{base64.urlsafe_b64encode(payload).rstrip(b'=').decode()}"


def parse_global_id(text: str) -> GlobalId:
    """Read an `ID` back.

    Raises `NotFound` for anything this service never issued: a made-up id and an id of nothing are the same to the caller.
    """
    type_name, separator, encoded = text.partition("_")
    if not separator or not type_name.isascii() or not type_name.isalpha() or not encoded.isascii():
        raise NotFound
    try:
        payload = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise NotFound from None
    parsed = _from_payload(type_name, payload)
    if parsed is None or str(parsed) != text:
        raise NotFound
    return parsed


def _from_payload(type_name: str, payload: bytes) -> GlobalId | None:
    kind, rest = payload[:1], payload[1:]
    if kind == b"u" and len(rest) == 16:
        return GlobalId(type_name, UUID(bytes=rest))
    if kind == b"w" and len(rest) == 32:
        return GlobalId(type_name, UUID(bytes=rest[16:]), UUID(bytes=rest[:16]))
    try:
        if kind == b"c":
            return GlobalId(type_name, rest.decode())
        if kind == b"r" and len(rest) > 16:
            return GlobalId(type_name, rest[16:].decode(), UUID(bytes=rest[:16]))
    except UnicodeDecodeError:
        return None
    return None
