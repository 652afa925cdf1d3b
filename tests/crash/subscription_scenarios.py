"""What servers are killed at with subscriptions, in the catalogs that sell plans."""

from __future__ import annotations

from typing import Final

from tests.crash import subscription_endings as endings
from tests.crash import subscription_steps as steps
from tests.crash.customer import Step
from tests.crash.scenario import NEW_CUSTOMER, Check, Scenario, calls, commits

_CATALOGS: Final = ("analytics", "messaging")
# what follows whenever a subscription has changed: the next bill is asked for, and the owners are told
AFTER_A_CHANGE: Final = ("upcoming.", "stripe.preview_", "stripe.retrieve_tax_rate", "notice.", "inbox")
"""What the worker passes then."""

# before a change is begun the subscription is mirrored: it is as it was
_UNCHANGED: Final = ("subscription.mirror:after-commit",)
# what is left of a change once it is made or undone at the provider, as the upgrade is
_MADE: Final = ("change.finish:after-commit", "subscription.mirror:after-commit#2")
# what undoes a change: the one that is left with its downgrade released is struck there
_UNDOING: Final = (
    *("change.step:after-commit", "change.finish:after-commit", "subscription.check_due:after-commit"),
    *("subscription.mirror:after-commit", "stripe.create_schedule:after", "stripe.set_phases:after"),
)

_BEGUN: Final = (*commits("subscription.mirror", "change.begin"), *calls("list_subscriptions#2"))


def _scenario(
    name: str,
    given: tuple[Step, ...],
    act: Step,
    points: tuple[str, ...],
    then: Check,
    *,
    in_order: bool = False,
    alike: tuple[str, ...] = (),
    catalogs: tuple[str, ...] = _CATALOGS,
) -> Scenario:
    return Scenario(
        name,
        given,
        act,
        points,
        then,
        in_order=in_order,
        catalogs=catalogs,
        beside=AFTER_A_CHANGE,
        alike=alike,
        at_rest=endings.bills_are_right,
        leaves=steps.ends_everything,
    )


SUBSCRIPTION_SCENARIOS: Final = (
    _scenario(
        "opening a page to subscribe on",
        (steps.reports_are_held,),
        steps.opens_a_page,
        (
            *commits("subscription.mirror", "subscribe.begin"),
            *NEW_CUSTOMER,
            *calls("open_subscription_page"),
            *commits("subscribe.opened"),
        ),
        endings.subscribed_on_one_page,
        in_order=True,
    ),
    _scenario(
        "subscribing reported",
        (steps.reports_are_held, steps.opens_a_page, steps.pays_on_the_page),
        steps.provider_reports,
        (
            *commits("event.receive", "event.processed", "invoice.mirror", "cards.mirror"),
            *commits("subscribe.complete", "subscription.mirror", "subscribe.settled"),
            *calls("retrieve_checkout", "list_subscriptions", "set_default_card", "retrieve_customer", "list_cards"),
            *calls("retrieve_invoice", "retrieve_tax_rate", "list_invoice_payments"),
        ),
        endings.subscribed_on_one_page,
    ),
    _scenario(
        "upgrade",
        (steps.somebody_on_the_lower_plan,),
        steps.upgrades,
        (
            *calls("list_subscriptions"),
            *_BEGUN,
            *calls("retrieve_invoice"),
            *commits("change.charge"),
            *calls("change_subscription", "list_subscriptions#3"),
            *commits("change.finish"),
            *calls("list_subscriptions#4"),
            *commits("subscription.mirror", nth=2),
        ),
        endings.upgraded_once,
        in_order=True,
        alike=_UNCHANGED,
    ),
    _scenario(
        "upgrade that drops a downgrade",
        (steps.somebody_on_the_higher_plan, steps.downgrades),
        steps.adds_seats,
        (
            *calls("list_subscriptions", "retrieve_schedule"),
            *_BEGUN,
            *calls("retrieve_schedule#2"),
            *commits("change.step"),
            *calls("release_schedule", "list_subscriptions#3", "retrieve_invoice"),
            *commits("change.charge"),
            *calls("change_subscription", "list_subscriptions#4"),
            *commits("change.finish"),
            *calls("list_subscriptions#5"),
            *commits("subscription.mirror", nth=2),
        ),
        endings.seats_added_once,
        in_order=True,
        alike=(*_UNCHANGED, *_MADE),
    ),
    _scenario(
        "upgrade that drops a downgrade and is left",
        (
            *(steps.somebody_on_the_higher_plan, steps.nothing_is_reported, steps.downgrades),
            steps.left_with_the_downgrade_released,
        ),
        steps.two_minutes_pass,
        (
            *commits("change.resume", "change.undo", "change.step", "change.finish", "subscription.mirror"),
            *calls("list_subscriptions", "retrieve_schedule", "create_schedule", "set_phases"),
        ),
        endings.downgraded,
    ),
    _scenario(
        "downgrade",
        (steps.somebody_on_the_higher_plan,),
        steps.downgrades,
        (
            *calls("list_subscriptions"),
            *_BEGUN,
            *commits("change.step"),
            *calls("create_schedule", "list_subscriptions#3", "retrieve_schedule"),
            *commits("change.step", nth=2),
            *calls("set_phases", "list_subscriptions#4", "retrieve_schedule#2"),
            *commits("change.finish"),
            *calls("list_subscriptions#5", "retrieve_schedule#3"),
            *commits("subscription.mirror", nth=2),
        ),
        endings.downgraded,
        in_order=True,
        alike=(*_UNCHANGED, *_MADE),
    ),
    _scenario(
        "cancelation",
        (steps.somebody_on_the_higher_plan, steps.downgrades),
        steps.cancels,
        (
            *commits("keep.take_back"),
            *calls("list_subscriptions", "retrieve_schedule"),
            *commits("subscription.mirror", "cancel.begin"),
            *calls("list_subscriptions#2", "retrieve_schedule#2"),
            *commits("change.step"),
            *calls("release_schedule", "list_subscriptions#3"),
            *commits("change.step", nth=2),
            *calls("end_with_period", "list_subscriptions#4"),
            *commits("change.finish"),
            *calls("list_subscriptions#5"),
            *commits("subscription.mirror", nth=2),
        ),
        endings.canceled,
        in_order=True,
        alike=(*_UNCHANGED, *_MADE),
    ),
    _scenario(
        "upgrade that nobody confirms",
        (
            *(steps.somebody_whose_period_ends_soon, steps.downgrades, steps.card_that_asks),
            *(steps.nothing_is_reported, steps.adds_seats),
        ),
        steps.the_period_is_nearly_over,
        (
            *commits("change.resume", "change.undo", "change.step", "change.finish"),
            *commits("subscription.check_due", "subscription.mirror"),
            *calls("list_subscriptions", "retrieve_invoice", "void_invoice", "create_schedule", "retrieve_schedule"),
            *calls("set_phases"),
        ),
        endings.lapsed,
        alike=_UNDOING,
    ),
    _scenario(
        "leaving a legacy plan",
        (steps.somebody_on_a_legacy_plan, steps.nothing_is_reported),
        steps.leaves_the_legacy_plan,
        (
            *calls("list_subscriptions"),
            *commits("subscription.mirror", "transition.begin"),
            *calls("retrieve_subscription", "preview_invoice", "list_invoices"),
            *calls("list_invoice_payments", "list_disputes", "retrieve_payment"),
            *commits("move.decide"),
            *calls("end_now"),
            *commits("move.leave"),
            *calls("list_refunds", "create_refund"),
            *commits("plan_refund.sent", "move.finish"),
        ),
        endings.left_the_legacy_plan_once,
        alike=_UNCHANGED,
        catalogs=("compute",),
    ),
    _scenario(
        "end of grace",
        (steps.somebody_whose_renewal_failed,),
        steps.grace_passes,
        (
            *commits("subscription.check_due", "subscription.mirror", "invoice.mirror"),
            *calls("list_subscriptions", "end_now", "list_invoices", "retrieve_invoice", "void_invoice"),
        ),
        endings.ended_unpaid,
    ),
)
