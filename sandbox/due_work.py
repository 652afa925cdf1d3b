"""What happens by itself when the sandbox's time reaches a time that an object holds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sandbox.objects import Json
from sandbox.resources.checkout.expiry import expire_session
from sandbox.resources.invoices.finalization import finalize_automatically
from sandbox.resources.invoices.paying import pay_automatically
from sandbox.resources.payments.disputes import open_automatic_dispute
from sandbox.resources.payments.refunds import complete_refund
from sandbox.store import Transaction


@dataclass(frozen=True)
class DueWork:
    """What to do (`do`) with objects of a kind that contain `match`, once the time in `time_field` has come."""

    kind: str
    match: Json
    time_field: str
    do: Callable[[Transaction, Json], Awaitable[object]]


DUE_WORK = (
    DueWork("invoice", {"status": "draft", "auto_advance": True}, "automatically_finalizes_at", finalize_automatically),
    DueWork("invoice", {"status": "open", "auto_advance": True}, "next_payment_attempt", pay_automatically),
    DueWork("checkout.session", {"status": "open"}, "expires_at", expire_session),
    DueWork("charge", {"disputed": False}, "_dispute_at", open_automatic_dispute),
    DueWork("refund", {}, "_outcome_at", complete_refund),
)
