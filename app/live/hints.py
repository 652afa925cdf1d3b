"""Hints: what the processes tell each other. The database is the truth; a hint only says where to look again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias, cast
from uuid import UUID

import orjson
import structlog

from app.db.outbox import Hint

CHANNEL: Final = "counterfoil_live"
"""The one channel that every process listens on."""

HEARTBEAT: Final = "[]"
"""A payload of no hints: proof that the connection still carries messages."""

# PostgreSQL refuses payloads of 8,000 bytes and more.
_MAX_PAYLOAD_BYTES: Final = 7_000

_log = structlog.get_logger(__name__)


HintKey: TypeAlias = tuple[str, UUID, UUID]


def fold_hints(hints: Iterable[Hint], into: dict[HintKey, Hint] | None = None) -> dict[HintKey, Hint]:
    """One hint per object, the one with its highest version; added to `into` where given."""
    folded = {} if into is None else into
    for hint in hints:
        key = (hint.topic, hint.workspace_id, hint.object_id)
        known = folded.get(key)
        if known is None or known.version < hint.version:
            folded[key] = hint
    return folded


def encode_hints(hints: Iterable[Hint]) -> list[str]:
    """Payloads that carry the hints, each at most 7,000 bytes; several hints of one object become its newest."""
    return ["[" + ",".join(items) + "]" for items in _packed(_encode(hint) for hint in fold_hints(hints).values())]


def decode_hints(payload: str) -> list[Hint]:
    """The hints of a payload; of one that is malformed, none: it is logged, and the regular check heals what it meant."""
    try:
        items: object = orjson.loads(payload)
        if isinstance(items, list):
            return [_decode(item) for item in cast("list[object]", items)]
    except ValueError:
        pass
    _log.warning("live.payload_malformed", payload=payload[:200])
    return []


def _packed(items: Iterator[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    room = _MAX_PAYLOAD_BYTES
    for item in items:
        size = len(item.encode()) + 1
        if batch and size > room:
            yield batch
            batch, room = [], _MAX_PAYLOAD_BYTES
        batch.append(item)
        room -= size
    if batch:
        yield batch


def _encode(hint: Hint) -> str:
    return orjson.dumps([hint.topic, hint.workspace_id.hex, hint.object_id.hex, hint.version]).decode()


def _decode(item: object) -> Hint:
    match item:
        case [str(topic), str(workspace_id), str(object_id), int(version)] if not isinstance(version, bool):
            return Hint(topic, UUID(workspace_id), UUID(object_id), version)
        case _:
            raise ValueError("not a hint")
