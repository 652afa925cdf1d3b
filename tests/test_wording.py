from __future__ import annotations

from datetime import timedelta

import pytest

from app.wording import count, duration, number, size, waiting_time


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (38, "38"), (1_000, "1,000"), (2_500_000, "2,500,000")])
def test_a_number_has_commas_between_its_thousands(value: int, text: str) -> None:
    assert number(value) == text


def test_a_count_has_the_plural_of_its_noun_unless_it_is_one() -> None:
    assert [count(value, "row") for value in (0, 1, 2, 1_000)] == ["0 rows", "1 row", "2 rows", "1,000 rows"]
    assert [count(value, "try", "tries") for value in (1, 5)] == ["1 try", "5 tries"]


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (timedelta(days=30), "30 days"),
        (timedelta(days=2), "2 days"),
        (timedelta(days=1), "24 hours"),
        (timedelta(hours=36), "36 hours"),
        (timedelta(hours=1), "1 hour"),
        (timedelta(minutes=90), "90 minutes"),
        (timedelta(minutes=1), "1 minute"),
        (timedelta(seconds=90), "90 seconds"),
        (timedelta(seconds=1), "1 second"),
    ],
)
def test_a_duration_is_written_in_the_largest_unit_that_divides_it(length: timedelta, text: str) -> None:
    assert duration(length) == text


@pytest.mark.parametrize("length", [timedelta(), timedelta(milliseconds=1_500), timedelta(seconds=-1)])
def test_a_duration_without_a_whole_number_of_seconds_can_not_be_written(length: timedelta) -> None:
    with pytest.raises(ValueError, match="is not a whole number of seconds"):
        duration(length)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1, "1 second"),
        (40, "40 seconds"),
        (60, "1 minute"),
        (61, "2 minutes"),
        (700, "12 minutes"),
        (3_540, "59 minutes"),
        (3_541, "1 hour"),
        (3_600, "1 hour"),
        (3_601, "61 minutes"),
        (7_140, "119 minutes"),
        (7_141, "2 hours"),
        (82_801, "24 hours"),
        (86_400, "24 hours"),
    ],
)
def test_a_waiting_time_is_rounded_and_never_shorter_than_it_is(seconds: int, text: str) -> None:
    assert waiting_time(seconds) == text


@pytest.mark.parametrize(
    ("in_bytes", "text"),
    [
        (20_000_000, "20 MB"),
        (1024 * 1024, "1 MiB"),
        (8_000, "8 kB"),
        (64 * 1024, "64 KiB"),
        (123, "123 bytes"),
        (0, "0 bytes"),
    ],
)
def test_a_size_is_written_in_the_largest_unit_that_divides_it(in_bytes: int, text: str) -> None:
    assert size(in_bytes) == text
