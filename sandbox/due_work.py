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
from sandbox.resources.schedules.transitions import take_next_step as take_next_phase
from sandbox.resources.subscriptions.cancellation import give_up_final_credit
from sandbox.resources.subscriptions.renewals import take_next_step
from sandbox.resources.tax.tax_ids import verify_tax_id
from sandbox.store import Transaction


@dataclass(frozen=True)
class DueWork:
    """What to do (`do`) with objects of a kind whose fields are as in `match`, once the time in `time_field` has come."""

    kind: str
    match: Json
    time_field: str
    do: Callable[[Transaction, Json], Awaitable[object]]

    def due_at(self, body: Json) -> int | None:
        """Return when this is to be done with an object, in seconds since 1970; None for never."""
        if body["object"] != self.kind or any(body.get(name) != value for name, value in self.match.items()):
            return None
        return body.get(self.time_field)


# of what is due in the same second, what stands first is done first
DUE_WORK = (
    # a phase is entered before the renewal of that second
    DueWork("subscription_schedule", {"status": "active"}, "_next_step_at", take_next_phase),
    DueWork("subscription", {}, "_next_step_at", take_next_step),
    DueWork("invoice", {"status": "draft", "auto_advance": True}, "automatically_finalizes_at", finalize_automatically),
    DueWork("invoice", {"status": "open", "auto_advance": True}, "next_payment_attempt", pay_automatically),
    DueWork("invoice", {"status": "draft"}, "_given_up_at", give_up_final_credit),
    DueWork("checkout.session", {"status": "open"}, "expires_at", expire_session),
    DueWork("charge", {"disputed": False}, "_dispute_at", open_automatic_dispute),
    DueWork("refund", {}, "_outcome_at", complete_refund),
    DueWork("tax_id", {}, "_verified_at", verify_tax_id),
)


def due_time(body: Json) -> tuple[int, int] | None:
    """Return when an object is due, and the rank of the work that is due then; None if nothing is."""
    times = [(at, rank) for rank, work in enumerate(DUE_WORK) if (at := work.due_at(body)) is not None]
    return min(times, default=None)
