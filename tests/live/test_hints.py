"""Hints travel in payloads that PostgreSQL takes, and nothing that arrives can do harm."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ids import uuid7
from app.live.hints import Hint, decode_hints, encode_hints

# PostgreSQL: "the payload string must be shorter than 8000 bytes"
_POSTGRES_LIMIT_BYTES = 8_000

_HINTS = st.builds(
    Hint,
    topic=st.sampled_from(["credit_balance", "credit_purchase", "usage"]),
    workspace_id=st.uuids(),
    object_id=st.uuids(),
    version=st.integers(min_value=0, max_value=2**63 - 1),
)


@given(st.lists(_HINTS, max_size=300, unique_by=lambda hint: (hint.topic, hint.workspace_id, hint.object_id)))
def test_what_is_encoded_is_decoded(hints: list[Hint]) -> None:
    payloads = encode_hints(hints)

    assert [hint for payload in payloads for hint in decode_hints(payload)] == hints
    assert all(len(payload.encode()) < _POSTGRES_LIMIT_BYTES for payload in payloads)


def test_hints_of_one_object_become_its_newest() -> None:
    workspace_id, object_id = uuid7(), uuid7()
    hints = [Hint("usage", workspace_id, object_id, version) for version in (3, 9, 4)]

    (payload,) = encode_hints(hints)

    assert decode_hints(payload) == [hints[1]]


def test_topics_of_one_object_stay_apart() -> None:
    workspace_id = uuid7()
    hints = [Hint(topic, workspace_id, workspace_id, 1) for topic in ("usage", "subscription")]

    (payload,) = encode_hints(hints)

    assert decode_hints(payload) == hints


def test_no_hints_need_no_payload() -> None:
    assert encode_hints([]) == []


_ID = "01" * 16


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "null",
        "{}",
        "[[]]",
        "[1]",
        "not json",
        "[" * 100_000,
        '["usage"]',
        json.dumps([["usage", "no id", _ID, 1]]),
        json.dumps([["usage", 5, _ID, 1]]),
        json.dumps([["usage", _ID, _ID, "1"]]),
        json.dumps([["usage", _ID, _ID, True]]),
        json.dumps([["usage", _ID, _ID, 1.5]]),
        json.dumps([["usage", _ID, _ID, 1, 1]]),
        json.dumps([["usage", _ID, _ID, 1], "and something else"]),
    ],
)
def test_a_malformed_payload_is_ignored(payload: str) -> None:
    assert decode_hints(payload) == []


@given(st.text())
def test_no_payload_raises(payload: str) -> None:
    decode_hints(payload)
