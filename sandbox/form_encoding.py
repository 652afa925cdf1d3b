"""Stripe's form encoding: `a[b][0][c]=x` read into nested dictionaries."""

from __future__ import annotations

import re
from typing import Any, cast
from urllib.parse import parse_qsl

from sandbox.errors import invalid_request

_KEY = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_SUBKEY = re.compile(r"\[([^\[\]]*)\]")
MAX_FIELDS = 2000


def decode_form(encoded: bytes) -> dict[str, Any]:
    """Return the nested parameters of a form or query string.

    Lists are returned as dictionaries with the keys "0", "1", …, because only the expected type can tell them from
    objects. Raises StripeError for a key that can't be read or that is both a value and an object.
    """
    decoded: dict[str, Any] = {}
    try:
        text = encoded.decode("utf-8", "strict")
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise invalid_request("Invalid request: the parameters could not be decoded") from error
    for key, value in pairs:
        if "\0" in value or "\0" in key:
            raise invalid_request("Invalid request: null bytes are not accepted")
        _put(decoded, key, value)
    return decoded


def _put(decoded: dict[str, Any], key: str, value: str) -> None:
    match = _KEY.fullmatch(key)
    if match is None:
        raise invalid_request(f"Invalid request: the key {key!r} could not be read", param=key)
    node = decoded
    steps: list[str] = [match[1], *_SUBKEY.findall(match[2])]
    for step in steps[:-1]:
        child: Any = node.setdefault(step or str(len(node)), {})
        if not isinstance(child, dict):
            raise invalid_request(f"Invalid object: {key} is given both as a value and as an object", param=key)
        node = cast("dict[str, Any]", child)
    last = steps[-1] or str(len(node))
    if isinstance(node.get(last), dict):
        raise invalid_request(f"Invalid object: {key} is given both as a value and as an object", param=key)
    node[last] = value
