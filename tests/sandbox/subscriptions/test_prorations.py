"""What part of a price is due for part of a period, in whole cents."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.resources.subscriptions.prorations import credit_for, nearest, new_debit, share_of_price


@pytest.mark.parametrize(
    ("amount", "rounded"), [("-2.5", -3), ("4.5", 4), ("7.5", 7), ("1199.97", 1200), ("-0.5", -1), ("0.5", 0), ("0", 0)]
)
def test_a_share_is_rounded_to_the_nearest_cent_halves_toward_minus_infinity(amount: str, rounded: int) -> None:
    assert nearest(Fraction(amount)) == rounded


def test_a_share_is_counted_by_the_second() -> None:
    price = {"unit_amount_decimal": "1200"}
    assert share_of_price(price, 1, 2678327, 2678400) == 1200
    assert share_of_price({"unit_amount_decimal": "3252"}, 1, 445540, 2678400) == 541


@given(
    amount=st.integers(0, 10**8),
    start=st.integers(0, 10**9),
    length=st.integers(1, 10**8),
    part=st.fractions(0, 1),
)
def test_a_credit_is_never_more_than_what_was_charged(amount: int, start: int, length: int, part: Fraction) -> None:
    debit = new_debit(amount, start, start + length, [])
    credit = credit_for(debit, start + int(length * part))
    assert -amount <= credit <= 0
    assert credit_for(debit, start - 1) == -amount
