"""HTTP answers of an identity provider that can't be used, by a name for each."""

from __future__ import annotations

from collections.abc import Mapping

from tests.support.http_double import Answer, Answered, Asked, BreakOff, as_json


async def broken_off(_asked: Asked) -> Answered:
    """Break the connection off."""
    raise BreakOff


def fixed(answered: Answered) -> Answer:
    """An answer that is always the same."""

    async def answer(_asked: Asked) -> Answered:
        return answered

    return answer


BAD_ANSWERS: Mapping[str, Answer] = {
    "500": fixed(Answered(500)),
    "404": fixed(Answered(404)),
    "204": fixed(Answered(204)),
    "a redirect": fixed(Answered(302, headers={"location": "/elsewhere"})),
    "a permanent redirect": fixed(Answered(308, headers={"location": "/elsewhere"})),
    "nothing": fixed(Answered(200)),
    "HTML": fixed(Answered(200, b"<!doctype html>")),
    "null": fixed(as_json(None)),
    "a list": fixed(as_json([])),
    "an empty object": fixed(as_json({})),
    "depth": fixed(Answered(200, b"[" * 100_000)),
    "no UTF-8": fixed(Answered(200, b'{"\xff": 1}')),
    "endless": fixed(Answered(200, b"{", is_endless=True)),
    "huge": fixed(Answered(200, b'{"keys": [' + b" " * 300_000 + b"]}")),
    "compressed": fixed(Answered(200, b"\x1f\x8b", headers={"content-encoding": "gzip"})),
    "a break": broken_off,
}
