"""A quote holds for what it was made for, and for nothing else."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.billing.subscriptions.goals import Goal
from app.billing.subscriptions.quotes import (
    QUOTE_LASTS,
    PriceChanged,
    Quote,
    digest_of,
    read,
    sign,
)
from app.error_codes import ErrorCode
from app.payments.subscription_values import InvoicePreview
from tests.billing.subscriptions.choices import ANALYTICS, MESSAGING, MONTH, YEAR, choice

KEY = b"k" * 32
NOW = datetime(2027, 1, 31, 12, 0, 30, tzinfo=UTC)
GOAL = Goal(choice(ANALYTICS, "team", 6), later=choice(ANALYTICS, "team", 3))
QUOTE = Quote(
    workspace_id=UUID(int=1),
    version=7,
    change=digest_of(GOAL),
    prorated_at=NOW,
    total_minor=1234,
    tax_minor=214,
    due_minor=1234,
    expires_at=NOW + QUOTE_LASTS,
)
TOKEN = sign(KEY, QUOTE)


def read_back(token: str = TOKEN, *, key: bytes = KEY, workspace_id: UUID = QUOTE.workspace_id) -> Quote:
    return read(key, token, workspace_id=workspace_id)


def is_refused(reading: Callable[[], object]) -> bool:
    with pytest.raises(PriceChanged) as caught:
        reading()
    return caught.value.code is ErrorCode.PRICE_CHANGED and caught.value.path == ("input", "quote")


def test_a_quote_tells_the_price_it_was_made_with() -> None:
    assert read_back() == QUOTE


def test_who_is_refused_is_told_to_look_again() -> None:
    assert PriceChanged().message == "The price may have changed since it was shown; look at it again."


def test_a_quote_fits_into_an_address() -> None:
    assert TOKEN.replace("-", "").replace("_", "").replace(".", "").isalnum()
    assert len(TOKEN) < 300


def test_a_quote_lasts_ten_minutes() -> None:
    assert timedelta(minutes=10) == QUOTE_LASTS
    read_back().require_current(version=7, now=NOW + QUOTE_LASTS - timedelta(microseconds=1))
    assert is_refused(lambda: read_back().require_current(version=7, now=NOW + QUOTE_LASTS))


def test_another_workspaces_quote_is_refused() -> None:
    assert is_refused(lambda: read_back(workspace_id=UUID(int=2)))


@pytest.mark.parametrize("version", [6, 8])
def test_a_quote_for_another_version_of_the_subscription_is_refused(version: int) -> None:
    assert is_refused(lambda: read_back().require_current(version=version, now=NOW))


@pytest.mark.parametrize(
    "goal",
    [
        Goal(choice(ANALYTICS, "team", 7), later=GOAL.later),
        Goal(choice(ANALYTICS, "team", 6, YEAR), later=GOAL.later),
        Goal(choice(ANALYTICS, "business", 6, MONTH), later=GOAL.later),
        Goal(choice(MESSAGING, "starter", 6, phone_numbers=1), later=GOAL.later),
        Goal(GOAL.now, later=choice(ANALYTICS, "team", 2)),
        Goal(GOAL.now),
        Goal(GOAL.now, ends=True),
        Goal(None, later=GOAL.later),
        Goal(None),
    ],
)
def test_a_quote_for_another_change_is_refused(goal: Goal) -> None:
    read_back().require_change(GOAL)
    assert is_refused(lambda: read_back().require_change(goal))


def test_a_quote_for_the_same_plan_on_other_terms_is_refused() -> None:
    team = choice(ANALYTICS, "team", 6)
    other = replace(team, terms=replace(team.terms, id="team-0000000000000000"))

    assert is_refused(lambda: read_back().require_change(Goal(other, later=GOAL.later)))


def test_a_quote_signed_with_another_key_is_refused() -> None:
    assert is_refused(lambda: read_back(sign(b"x" * 32, QUOTE)))
    assert is_refused(lambda: read_back(key=b"x" * 32))


def test_a_quote_that_was_changed_is_refused() -> None:
    payload, _, signature = TOKEN.partition(".")
    cheaper = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)).replace(b"1234", b"0001")
    forged = base64.urlsafe_b64encode(cheaper).decode().rstrip("=")

    assert forged != payload
    assert is_refused(lambda: read_back(f"{forged}.{signature}"))


def test_the_parts_of_two_quotes_make_no_third() -> None:
    other = sign(KEY, replace(QUOTE, total_minor=1))

    assert is_refused(lambda: read_back(f"{TOKEN.partition('.')[0]}.{other.partition('.')[2]}"))


@pytest.mark.parametrize("length", range(len(TOKEN)))
def test_a_part_of_a_quote_is_refused(length: int) -> None:
    assert is_refused(lambda: read_back(TOKEN[:length]))


@pytest.mark.parametrize(
    "text",
    ["", ".", "..", "a.b", f"{TOKEN}.", f"{TOKEN}=", f" {TOKEN}", f"{TOKEN}\n", "quöte", "\ud800.\ud800", "a" * 99_999],
)
def test_what_is_no_quote_is_refused(text: str) -> None:
    assert is_refused(lambda: read_back(text))


@given(st.text(), st.text())
@settings(max_examples=300, deadline=None)
def test_no_text_is_read_but_refused(payload: str, signature: str) -> None:
    assert is_refused(lambda: read_back(f"{payload}.{signature}"))


@given(st.integers(0, len(TOKEN) - 1), st.characters())
@settings(max_examples=300, deadline=None)
def test_a_quote_with_one_other_character_is_refused(index: int, character: str) -> None:
    changed = TOKEN[:index] + character + TOKEN[index + 1 :]
    if changed != TOKEN:
        assert is_refused(lambda: read_back(changed))


# the preview made again just before the change


def preview(
    total_minor: int = 1234, tax_minor: int = 214, *, due_minor: int = 1234, credit_minor: int = 0
) -> InvoicePreview:
    return InvoicePreview(
        currency="EUR",
        lines=(),
        tax_lines=(),
        subtotal_minor=total_minor,
        tax_minor=tax_minor,
        total_minor=total_minor,
        credit_applied_minor=credit_minor,
        due_minor=due_minor,
        charged_at=None,
    )


def test_the_same_total_and_tax_are_charged() -> None:
    read_back().require_price(preview(), period_start=NOW)


def test_credit_that_pays_more_or_less_of_it_is_the_same_price() -> None:
    read_back().require_price(preview(due_minor=1000, credit_minor=234), period_start=NOW)


@pytest.mark.parametrize("other", [preview(1235), preview(1233), preview(tax_minor=0)])
def test_another_total_or_tax_is_another_price(other: InvoicePreview) -> None:
    assert is_refused(lambda: read_back().require_price(other, period_start=NOW))


def test_a_moment_before_the_present_period_is_another_price() -> None:
    assert is_refused(lambda: read_back().require_price(preview(), period_start=NOW + timedelta(seconds=1)))
