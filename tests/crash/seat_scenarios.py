"""What servers are killed at while an accepted invitation buys its seat, in the catalog in which it does."""

from __future__ import annotations

from typing import Final

from tests.crash import seat_steps, subscription_steps
from tests.crash import subscription_endings as endings
from tests.crash.scenario import Scenario, calls, commits
from tests.crash.subscription_scenarios import AFTER_A_CHANGE

_BOUGHT: Final = (
    *commits("accept-invitation", "seats.let_in", "seats.begin", "change.charge", "change.finish"),
    *commits("subscription.mirror"),
    *calls("list_subscriptions", "retrieve_invoice", "change_subscription"),
)
_CATALOGS: Final = ("messaging",)
# the worker also brings the customer of the new organization up to date
_BESIDE: Final = (*AFTER_A_CHANGE, "customer.", "stripe.update_customer")

SEAT_SCENARIOS: Final = (
    Scenario(
        "an accepted invitation buys its seat",
        (
            *(seat_steps.an_organization_with_one_seat, seat_steps.somebody_is_invited),
            subscription_steps.nothing_is_reported,
        ),
        seat_steps.accepts,
        _BOUGHT,
        seat_steps.has_joined_on_one_more_seat,
        catalogs=_CATALOGS,
        beside=_BESIDE,
        at_rest=endings.bills_are_right,
        leaves=subscription_steps.ends_everything,
    ),
    Scenario(
        "a seat that waits for the bank is paid",
        (
            *(seat_steps.an_organization_with_one_seat, subscription_steps.card_that_asks),
            *(seat_steps.somebody_is_invited, subscription_steps.reports_are_held),
            *(seat_steps.accepts_and_waits, seat_steps.the_owner_confirms),
        ),
        seat_steps.joins_once_it_is_reported,
        (
            *commits(
                "event.receive", "event.processed", "invoice.mirror", "cards.mirror", "change.paid", "change.finish"
            ),
            *commits("subscription.mirror", "seats.let_in"),
            *calls(
                "list_subscriptions", "retrieve_invoice", "list_invoice_payments", "list_cards", "retrieve_customer"
            ),
        ),
        seat_steps.has_joined_on_one_more_seat,
        catalogs=_CATALOGS,
        beside=_BESIDE,
        at_rest=endings.bills_are_right,
        leaves=subscription_steps.ends_everything,
    ),
)
