"""What goes back of a plan that is ended: the worth of unused time, at most what cards paid for it, one payment after the other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from app.billing.moves.unused_time import PaidPart, bills_time_after, paid_parts, parts_to_refund, unpaid_minor
from app.payments.gateway_values import (
    InvoiceLine,
    InvoicePayment,
    InvoiceStatus,
    PaymentAttempt,
    PaymentStatus,
    ProviderInvoice,
)

_NOW = datetime(2026, 4, 16, 6, tzinfo=UTC)


def _part(left: int, *, payment: str = "pi_1", disputed: bool = False) -> PaidPart:
    return PaidPart(f"in_of_{payment}", InvoicePayment(payment, left, disputed))


def _amounts(worth: int, unpaid: int, *paid: PaidPart) -> list[tuple[str, int]]:
    return [(each.payment_id, each.amount_minor) for each in parts_to_refund(worth, unpaid, paid)]


def _invoice(
    status: InvoiceStatus, total: int, paid: int = 0, *, ends: timedelta = timedelta(days=15), invoice_id: str = "in_1"
) -> ProviderInvoice:
    line = InvoiceLine("A plan", 1, total, total, "price_1", _NOW - timedelta(days=15), _NOW + ends, False)
    return ProviderInvoice(
        id=invoice_id,
        customer_id="cus_1",
        number=None,
        status=status,
        currency="USD",
        issued_at=None,
        due_at=None,
        paid_at=None,
        subtotal_minor=total,
        tax_minor=0,
        total_minor=total,
        amount_due_minor=total,
        amount_paid_minor=paid,
        is_paid_elsewhere=False,
        credit_applied_minor=0,
        lines=(line,),
        tax_lines=(),
        hosted_url=None,
        pdf_url=None,
        purchase_id=None,
        attempt=PaymentAttempt(None, PaymentStatus.NOT_ATTEMPTED),
        created_at=_NOW,
        subscription_id="sub_1",
        subscription_metadata={},
    )


def test_what_one_payment_has_left_is_enough() -> None:
    assert _amounts(1624, 0, _part(3248)) == [("pi_1", 1624)]


def test_what_one_payment_lacks_is_taken_from_the_next() -> None:
    assert _amounts(1624, 0, _part(1000), _part(3248, payment="pi_2")) == [("pi_1", 1000), ("pi_2", 624)]


def test_no_more_goes_back_than_is_left_of_what_was_paid() -> None:
    assert _amounts(1624, 0, _part(12)) == [("pi_1", 12)]
    assert _amounts(1624, 0) == []


def test_what_is_disputed_does_not_go_back() -> None:
    assert _amounts(1624, 0, _part(3248, disputed=True), _part(300, payment="pi_2")) == [("pi_2", 300)]


def test_what_is_unpaid_counts_against_the_worth() -> None:
    assert _amounts(1624, 600, _part(3248)) == [("pi_1", 1024)]
    assert _amounts(3000, 3248, _part(3248)) == []


def test_drafts_and_open_and_uncollectible_invoices_are_unpaid_and_no_others() -> None:
    unpaid = [InvoiceStatus.DRAFT, InvoiceStatus.OPEN, InvoiceStatus.UNCOLLECTIBLE]
    for status in InvoiceStatus:
        assert unpaid_minor([_invoice(status, 3000, 500)], awaited_invoice_id=None) == (2500 if status in unpaid else 0)


def test_the_invoice_of_a_change_that_awaits_its_payment_is_not_unpaid() -> None:
    waiting = _invoice(InvoiceStatus.OPEN, 3000, invoice_id="in_9")

    assert unpaid_minor([waiting], awaited_invoice_id="in_9") == 0


def test_only_what_bills_time_that_is_left_paid_for_it() -> None:
    assert bills_time_after(_invoice(InvoiceStatus.PAID, 3000), _NOW)
    assert not bills_time_after(_invoice(InvoiceStatus.PAID, 3000, ends=timedelta(0)), _NOW)


@given(
    st.integers(0, 10_000),
    st.integers(0, 10_000),
    st.lists(st.tuples(st.integers(-100, 5_000), st.booleans()), max_size=5),
)
def test_whatever_was_paid_never_more_goes_back_than_is_right(
    worth: int, unpaid: int, payments: list[tuple[int, bool]]
) -> None:
    paid = [_part(left, payment=f"pi_{n}", disputed=disputed) for n, (left, disputed) in enumerate(payments)]

    parts = parts_to_refund(worth, unpaid, paid)

    total, possible = sum(part.amount_minor for part in parts), sum(part.left_minor for part in paid)
    assert total == max(0, min(worth - unpaid, possible))
    lefts = {part.payment.id: part.left_minor for part in paid}
    assert all(0 < part.amount_minor <= lefts[part.payment_id] for part in parts)


def test_what_a_credit_note_gave_back_otherwise_is_taken_from_one_payment_after_the_other() -> None:
    payments = [InvoicePayment("pi_1", 500, False), InvoicePayment("pi_2", 700, False)]

    assert [each.left_minor for each in paid_parts("in_1", payments, credited_otherwise_minor=600)] == [0, 600]
    assert [each.left_minor for each in paid_parts("in_1", payments, credited_otherwise_minor=0)] == [500, 700]
