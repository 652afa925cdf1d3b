"""Which objects depend on which: whoever changes an object of these kinds calls `Transaction.update_dependents`."""

from __future__ import annotations

from sandbox.resources.checkout.completion import complete_session_of_intent
from sandbox.resources.invoices.paying import update_invoice_of_intent
from sandbox.store import Dependents

DEPENDENTS: Dependents = {
    "payment_intent": (update_invoice_of_intent, complete_session_of_intent),
    "setup_intent": (complete_session_of_intent,),
}
