"""Checking typed text: visible characters are kept, invisible ones and those that change the direction are refused."""

from __future__ import annotations

import pytest

from app.accounts.security.text_input import (
    cleaned_line,
    one_line,
    optional_line,
    optional_text,
    pasted,
    pasted_code,
    trimmed,
)
from app.errors import InvalidInput

_HIDDEN = {
    "a zero-width space": "\u200b",
    "a soft hyphen": "\u00ad",
    "a byte order mark": "\ufeff",
    "a word joiner": "\u2060",
    "an override to the right": "\u202e",
    "an embedding": "\u202a",
    "an isolate": "\u2067",
    "a tag": "\U000e0041",
    "a filler": "\u3164",
    "an empty braille cell": "\u2800",
}


def _line(text: str) -> str:
    return one_line(text, "A name", at_most=20, path=("input", "name"))


@pytest.mark.parametrize(
    "text",
    [
        "Ada",
        "O'Neill-Söze, 3rd",
        "王小明",
        "محمد",
        "علی‌رضا",  # with a non-joiner, as the name is written
        "C++\u200f ישראל",
        "👩‍👩‍👧",
        "42",
        "…",
    ],
)
def test_a_line_is_kept_as_it_was_typed_in_every_script(text: str) -> None:
    assert _line(f" {text}\u00a0") == text
    assert optional_line(text, "A name", at_most=20) == cleaned_line(text, at_most=20) == text


@pytest.mark.parametrize("hidden", _HIDDEN.values(), ids=_HIDDEN.keys())
@pytest.mark.parametrize("text", ["{}", "Acme {}", "{}nimda"])
def test_what_is_invisible_or_turns_text_around_is_refused(hidden: str, text: str) -> None:
    for refused in (
        lambda: _line(text.format(hidden)),
        lambda: optional_line(text.format(hidden), "A name", at_most=20),
        lambda: optional_text(text.format(hidden), "A bio", at_most=20),
    ):
        with pytest.raises(InvalidInput, match="characters that are invisible or change the direction of text"):
            refused()


@pytest.mark.parametrize("text", ["\u200d", "\u200f\u200e", "\u0301", " \u0301 "])
def test_a_line_of_what_is_only_seen_within_words_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="needs something that can be seen"):
        _line(text)
    with pytest.raises(InvalidInput, match="needs something that can be seen"):
        optional_text(text, "A bio", at_most=20)
    assert cleaned_line(text, at_most=20) is None


def test_text_from_another_system_is_cleaned() -> None:
    assert cleaned_line("\u202eAda\u200b\r\nLovelace\u2066", at_most=20) == "Ada Lovelace"
    assert cleaned_line("\u200b\u2060", at_most=20) is None
    assert cleaned_line("x" * 30, at_most=20) == "x" * 20


def test_lines_may_end_and_have_tabs_where_several_are_allowed() -> None:
    assert optional_text("\n a\tb\r\nc \n", "A bio", at_most=20) == "a\tb\nc"
    with pytest.raises(InvalidInput, match="without control characters"):
        optional_text("a\0b", "A bio", at_most=20)
    with pytest.raises(InvalidInput, match="one line of text"):
        _line("a\nb")


@pytest.mark.parametrize("text", ["", " ", "\u00a0\t\n"])
def test_blanks_are_nothing(text: str) -> None:
    assert optional_line(text, "A name", at_most=20) is optional_text(text, "A bio", at_most=20) is None
    with pytest.raises(InvalidInput, match="can't be empty"):
        _line(text)


@pytest.mark.parametrize(
    "text",
    [
        "123456",
        " 123 456\n",
        "123-456",
        "123\u2013456",
        "123\u00a0456",
        "\u2060123\u200b456\ufeff",
        "\uff11\uff12\uff13456",
    ],
)
def test_a_code_is_the_same_however_it_was_pasted(text: str) -> None:
    assert pasted_code(text) == "123456"


def test_what_is_no_code_stays_none() -> None:
    assert pasted_code("12a 456.7") == "12a456.7"


@pytest.mark.parametrize("around", [" ", "\t\n", "\u00a0", *_HIDDEN.values()])
def test_what_is_copied_along_around_a_text_is_removed(around: str) -> None:
    assert trimmed(f"{around}ada {around}lovelace{around}") == f"ada {around}lovelace"
    assert pasted(f"{around}to{around}ken{around}") == "token"
    assert trimmed(around) == pasted(around) == ""
