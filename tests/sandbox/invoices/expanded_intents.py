"""The payment intent of an invoice."""

from __future__ import annotations

import stripe

# what to expand in a call that answers an invoice
EXPAND_INTENT = ["payments.data.payment.payment_intent"]


def intent_of(invoice: stripe.Invoice) -> stripe.PaymentIntent:
    """Return the expanded payment intent of an invoice."""
    assert invoice.payments is not None
    intent = invoice.payments.data[0].payment.payment_intent
    assert isinstance(intent, stripe.PaymentIntent)
    return intent
