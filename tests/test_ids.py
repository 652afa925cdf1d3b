from __future__ import annotations

import time
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import NotFound
from app.ids import GlobalId, parse_global_id, uuid7

ROW = UUID("0190a3a0-0000-7000-8000-000000000001")
WORKSPACE = UUID("0190a3a0-0000-7000-8000-000000000002")


def test_an_id_is_a_version_7_uuid_that_starts_with_its_time() -> None:
    before = time.time_ns() // 1_000_000
    made = uuid7()
    after = time.time_ns() // 1_000_000

    assert (made.version, made.variant) == (7, RFC_4122)
    assert before <= made.int >> 80 <= after


def test_ids_do_not_repeat_and_later_ones_sort_after_earlier_ones() -> None:
    made = [uuid7() for _ in range(10_000)]

    assert len(set(made)) == len(made)
    assert [each.int >> 80 for each in made] == sorted(each.int >> 80 for each in made)


def test_every_random_bit_of_an_id_is_used() -> None:
    made = [uuid7().int for _ in range(200)]
    fixed = 0x3 << 62 | 0xF << 76
    random_bits = ((1 << 80) - 1) & ~fixed

    ever_set = ever_clear = 0
    for value in made:
        ever_set |= value
        ever_clear |= ~value

    assert ever_set & random_bits == random_bits
    assert ever_clear & random_bits == random_bits


@pytest.mark.parametrize(
    "given_id",
    [
        GlobalId("User", ROW),
        GlobalId("CreditGrant", ROW, WORKSPACE),
        GlobalId("Plan", "pay-as-you-go"),
        GlobalId("UsageBar", "storage", WORKSPACE),
    ],
)
def test_a_global_id_reads_back_as_what_it_was_made_of(given_id: GlobalId) -> None:
    assert parse_global_id(str(given_id)) == given_id


@given(code=st.text(st.characters(exclude_categories=["Cs"])))
def test_any_code_survives_in_a_global_id(code: str) -> None:
    assert parse_global_id(str(GlobalId("Plan", code))) == GlobalId("Plan", code)
    if code:
        owned = GlobalId("UsageBar", code, WORKSPACE)
        assert parse_global_id(str(owned)) == owned


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Plan",
        "Plan_",
        "_Yw",
        "Plan_!!!!",
        "Plan_Y",
        "Plan_YW\n",
        "Plan_Yw==",
        "Pl4n_Yw",
        "Plän_Yw",
        "Plan_ä",
        "Plan_\x00",
        str(GlobalId("User", ROW)) + "A",
        str(GlobalId("User", ROW))[:-1],
        str(GlobalId("CreditGrant", ROW, WORKSPACE))[:-4],
        str(GlobalId("UsageBar", "", WORKSPACE)),
        "Plan_Y_8",
        "User_" + "A" * 100_000,
    ],
)
def test_what_was_never_issued_is_not_found(text: str) -> None:
    with pytest.raises(NotFound):
        parse_global_id(text)


def test_a_global_id_has_one_spelling() -> None:
    """Base64 ignores the last bits of a group: an id with them changed must not name the same object."""
    genuine = str(GlobalId("User", ROW))
    respelled = genuine[:-1] + chr(ord(genuine[-1]) + 1)

    with pytest.raises(NotFound):
        parse_global_id(respelled)


@given(text=st.text())
def test_no_text_breaks_the_reading_of_ids(text: str) -> None:
    try:
        parsed = parse_global_id(text)
    except NotFound:
        return
    assert str(parsed) == text
