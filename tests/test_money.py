from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import InvalidInput
from app.money import MAX_STEPS, CreditUnit, Money, from_steps, to_steps
from sandbox.currencies import SUPPORTED
from sandbox.currencies import money as sandbox_money

TOKENS = CreditUnit("tokens", "tokens", 0)
DOLLARS = CreditUnit("USD", "US dollars", 6)


@pytest.mark.parametrize(
    ("currency", "text", "minor"),
    [("EUR", "5.00", 500), ("EUR", "0.5", 50), ("JPY", "500", 500), ("KWD", "1.234", 1234), ("USD", "1e3", 100_000)],
)
def test_money_counts_the_smallest_unit_of_its_currency(currency: str, text: str, minor: int) -> None:
    assert Money.of(Decimal(text), currency) == Money(minor, currency)


@pytest.mark.parametrize(
    ("currency", "minor", "shown"),
    [("EUR", 500, "5.00"), ("JPY", 500, "500"), ("KWD", 1234, "1.234"), ("USD", 0, "0.00")],
)
def test_money_shows_all_digits_of_its_currency(currency: str, minor: int, shown: str) -> None:
    assert str(Money(minor, currency)) == f"{shown} {currency}"


@pytest.mark.parametrize("currency", ["ISK", "UGX"])
def test_whole_units_that_stripe_counts_in_hundredths_are_not_shown_times_a_hundred(currency: str) -> None:
    assert str(Money(500_000, currency)) == f"5000.00 {currency}"


def test_amounts_are_read_with_the_digits_that_the_sandbox_counts_them_in() -> None:
    for currency in SUPPORTED:
        shown = sandbox_money(1_234_500, currency).replace(",", "")
        assert str(Money(1_234_500, currency.upper())) == shown


@pytest.mark.parametrize(("currency", "text"), [("EUR", "5.001"), ("JPY", "500.5"), ("KWD", "0.0001")])
def test_money_with_more_digits_than_its_currency_is_refused_and_not_rounded(currency: str, text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Money.of(Decimal(text), currency, path=("input", "amount"))
    assert caught.value.path == ("input", "amount")


def test_a_unit_without_decimals_asks_for_a_whole_number() -> None:
    with pytest.raises(InvalidInput, match="whole number"):
        TOKENS.to_steps(Decimal("1.5"))


def test_credits_are_counted_in_steps_of_their_unit() -> None:
    assert TOKENS.to_steps(Decimal("1000000")) == 1_000_000
    assert DOLLARS.to_steps(Decimal("5.00")) == 5_000_000
    assert str(DOLLARS.from_steps(1)) == "0.000001"


@pytest.mark.parametrize(
    ("steps", "shown"),
    [
        (10_130_000, "10.13 US dollars"),
        (10_000_000, "10 US dollars"),
        (10_500_000, "10.50 US dollars"),
        (1_234_567_890_001, "1,234,567.890001 US dollars"),
        (1, "0.000001 US dollars"),
        (0, "0 US dollars"),
        (-2_500_000, "-2.50 US dollars"),
    ],
)
def test_credits_are_read_without_the_zeros_at_their_end(steps: int, shown: str) -> None:
    assert DOLLARS.text(steps) == shown


def test_credits_without_decimals_or_with_one_keep_what_they_have() -> None:
    assert CreditUnit("tokens", "tokens", 0).text(1_000_000) == "1,000,000 tokens"
    assert CreditUnit("hours", "hours", 1).text(15) == "1.5 hours"


def test_amounts_of_different_currencies_do_not_add() -> None:
    assert Money(1, "EUR") + Money(2, "EUR") == Money(3, "EUR")
    with pytest.raises(ValueError, match="USD and EUR"):
        _ = Money(1, "USD") + Money(1, "EUR")


def test_the_largest_amount_is_the_largest_that_64_bits_hold() -> None:
    assert to_steps(Decimal(MAX_STEPS), 0) == MAX_STEPS
    assert to_steps(-Decimal(MAX_STEPS), 0) == -MAX_STEPS
    with pytest.raises(InvalidInput, match="too large"):
        to_steps(Decimal(MAX_STEPS + 1), 0)


@pytest.mark.parametrize("text", ["NaN", "sNaN", "Infinity", "-Infinity"])
def test_an_amount_that_is_no_finite_number_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="finite"):
        to_steps(Decimal(text), 2)


@pytest.mark.parametrize("text", ["1e400", "1e999999999", "1e-999999999", "9" * 5000, "0." + "1" * 5000])
def test_an_amount_of_absurd_length_is_refused_at_once(text: str) -> None:
    with pytest.raises(InvalidInput):
        to_steps(Decimal(text), 2)


@pytest.mark.parametrize("text", ["0", "-0", "0e-999999999", "0e999999999", "0.000000000000"])
def test_nothing_is_nothing_however_it_is_written(text: str) -> None:
    assert to_steps(Decimal(text), 2) == 0


@given(steps=st.integers(-MAX_STEPS, MAX_STEPS), decimals=st.integers(0, 9))
def test_steps_survive_the_way_to_an_amount_and_back(steps: int, decimals: int) -> None:
    amount = from_steps(steps, decimals)

    assert to_steps(amount, decimals) == steps
    assert amount.as_tuple().exponent == -decimals


@given(text=st.from_regex(r"-?[0-9]{1,25}(\.[0-9]{1,12})?", fullmatch=True), decimals=st.integers(0, 9))
def test_an_amount_is_taken_exactly_or_not_at_all(text: str, decimals: int) -> None:
    amount = Decimal(text)
    try:
        steps = to_steps(amount, decimals)
    except InvalidInput:
        scaled = int(text.replace(".", "")) * 10**decimals
        digits = len(text.partition(".")[2])
        assert scaled % 10**digits or abs(scaled) // 10**digits > MAX_STEPS
    else:
        assert from_steps(steps, decimals) == amount
