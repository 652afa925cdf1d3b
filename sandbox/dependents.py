"""What is updated when an object of these kinds has changed, which `Transaction.update_dependents` does.

It is a table above the families of resources, because the family of the changed object may not import those above it.
"""

from __future__ import annotations

from sandbox.resources.checkout.completion import complete_session_of_intent
from sandbox.resources.checkout.expiry import expire_sessions_of_deleted_customer
from sandbox.resources.invoices.customer_changes import follow_customer
from sandbox.resources.invoices.paying import update_invoice_of_intent
from sandbox.resources.schedules.transitions import follow_subscription
from sandbox.resources.subscriptions.cancellation import cancel_of_deleted_customer
from sandbox.resources.subscriptions.following import follow_invoice
from sandbox.store import Dependents

DEPENDENTS: Dependents = {
    "customer": (cancel_of_deleted_customer, follow_customer, expire_sessions_of_deleted_customer),
    "invoice": (follow_invoice,),
    "payment_intent": (update_invoice_of_intent, complete_session_of_intent),
    "subscription": (follow_subscription,),
    "setup_intent": (complete_session_of_intent,),
}
