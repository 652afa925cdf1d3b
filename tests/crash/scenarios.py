"""What servers are killed at: each scenario with every point that it passes, and what must be true in the end.

A new scenario is one entry in `SCENARIOS`. A step added to the product makes a scenario's list of points wrong until it is listed,
and then it is struck. A point costs a part of a second: a customer is made, the server is ended at the point and started again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from tests.crash import endings, steps
from tests.crash.customer import Customer, Step
from tests.crash.steps import ASKING, FAILING, GOOD, killed_at, recharging

# What passes by itself every second or so, or with the clock that only development has.
_BACKGROUND: Final = ("clean", "clean.changes", "clean.keys", "clock.save", "credits.due", "session-used", "stripe.list_events")

# What is asked once in the life of a server, which remembers the answer.
_REMEMBERED: Final = ("stripe.retrieve_tax_rate",)

Check: TypeAlias = Callable[[Customer, str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Scenario:
    """What happens, every point that is passed by it, and what must be true however often it was interrupted.

    `given` are the steps that lead up to it; `act` is what is interrupted, and done again as whoever does it would. Points passed
    by the worker come in an order of its own, so that only `in_order` scenarios list them in theirs. `then` is told the point.
    Where the catalogs differ in more than numbers, every point is struck `in_each_catalog`.
    """

    name: str
    given: tuple[Step, ...]
    act: Step
    points: tuple[str, ...]
    then: Check
    in_order: bool = False
    in_each_catalog: bool = False

    def passed(self, points: list[str]) -> list[str]:
        """Those of the points passed that the scenario has to list; the second time that a point is passed is `point#2`."""
        seen = Counter[str]()
        passed: list[str] = []
        for point in points:
            if point in self.points or point.partition(":")[0] not in _BACKGROUND:
                seen[point] += 1
                passed.append(point if seen[point] == 1 else f"{point}#{seen[point]}")
        return passed if self.in_order else sorted(seen)


def is_passed_once(point: str) -> bool:
    """Whether a server passes a point once in its life, so that it must be a new one that is to be struck there."""
    return point.partition(":")[0] in _REMEMBERED


def commits(*steps: str, nth: int = 1) -> tuple[str, ...]:
    """The points around commits, passed for the `nth` time."""
    mark = f"#{nth}" if nth > 1 else ""
    return tuple(f"{step}:{side}-commit{mark}" for step in steps for side in ("before", "after"))


def calls(*names: str) -> tuple[str, ...]:
    """The points around calls to the provider; `name#2` is the second such call."""
    parts = [name.partition("#") for name in names]
    return tuple(f"stripe.{name}:{side}{mark}{time}" for name, mark, time in parts for side in ("before", "after"))


_TO_PAYMENT: Final = (
    *commits("recharge.begin"),
    *calls("create_invoice"),
    *commits("recharge.save_invoice"),
    *calls("add_charge", "finalize_invoice", "retrieve_tax_rate"),
    *commits("recharge.admit"),
    *calls("pay_invoice", "retrieve_invoice"),
)
_NEW_CUSTOMER: Final = (
    *calls("create_customer"),
    *commits("customer.save", "customer.begin_write"),
    *calls("update_customer"),
    *commits("customer.end_write"),
)
_REPORTED: Final = (
    *commits("event.receive", "event.processed", "invoice.mirror"),
    *calls("retrieve_invoice", "retrieve_tax_rate", "list_invoice_payments"),
)

_RETURNED: Final = (
    *_REPORTED,
    *commits("purchase.settle", "returns.apply"),
    *calls("retrieve_payment", "list_refunds", "list_disputes"),
)

SCENARIOS: Final = (
    Scenario(
        "recharge",
        (steps.somebody_with_three_cards,),
        recharging(GOOD),
        (*_TO_PAYMENT, *commits("purchase.settle")),
        endings.bought_unless_struck_between_admission_and_payment,
        in_order=True,
        in_each_catalog=True,
    ),
    Scenario(
        "declined recharge",
        (steps.somebody_with_three_cards,),
        recharging(FAILING),
        (
            *_TO_PAYMENT,
            *calls("retrieve_invoice#2", "void_invoice"),
            *commits("purchase.fail"),
            *commits("rate-limit"),
        ),
        endings.declined,
        in_order=True,
    ),
    Scenario(
        "recharge that asks the holder",
        (steps.somebody_with_three_cards,),
        recharging(ASKING),
        (*_TO_PAYMENT, *commits("purchase.await"), *calls("retrieve_invoice#2")),
        endings.bought_after_asking,
        in_order=True,
    ),
    Scenario(
        "recharge reported",
        (steps.somebody_with_three_cards, recharging(GOOD)),
        steps.provider_reports,
        (*_REPORTED, *commits("purchase.settle")),
        endings.bought,
    ),
    Scenario(
        "decline reported",
        (steps.somebody_with_three_cards, recharging(FAILING)),
        steps.provider_reports,
        (*_REPORTED, *commits("purchase.fail")),
        endings.declined,
    ),
    Scenario(
        "confirmation reported",
        (steps.somebody_with_three_cards, recharging(ASKING), steps.holder_confirms),
        steps.provider_reports,
        (*_REPORTED, *commits("purchase.settle")),
        endings.bought_by_asking,
    ),
    Scenario(
        "holder comes too late",
        (steps.somebody_with_three_cards, steps.nothing_is_reported, recharging(ASKING)),
        steps.half_an_hour_passes,
        (*calls("retrieve_invoice", "retrieve_tax_rate", "void_invoice"), *commits("purchase.await", "purchase.fail")),
        endings.lapsed,
    ),
    Scenario(
        "reconciling an invoice not asked to be paid",
        (
            steps.somebody_with_three_cards,
            steps.nothing_is_reported,
            killed_at("stripe.create_invoice:after", recharging(GOOD)),
        ),
        steps.two_minutes_pass,
        (
            *calls("list_invoices", "retrieve_invoice", "delete_invoice"),
            *commits("purchase.give_up", "purchase.fail"),
        ),
        endings.bought_later,
    ),
    Scenario(
        "reconciling a payment never sent",
        (
            steps.somebody_with_three_cards,
            steps.nothing_is_reported,
            killed_at("stripe.pay_invoice:before", recharging(GOOD)),
        ),
        steps.two_minutes_pass,
        (*calls("retrieve_invoice", "retrieve_tax_rate", "void_invoice"), *commits("purchase.fail")),
        endings.not_bought,
    ),
    Scenario(
        "reconciling a payment not noted",
        (
            steps.somebody_with_three_cards,
            steps.nothing_is_reported,
            killed_at("stripe.pay_invoice:after", recharging(GOOD)),
        ),
        steps.two_minutes_pass,
        (*calls("retrieve_invoice", "retrieve_tax_rate"), *commits("purchase.settle")),
        endings.bought,
    ),
    Scenario(
        "opening a checkout",
        (steps.somebody_without_cards, steps.reports_are_held),
        steps.checks_out,
        (
            *commits("recharge.begin"),
            *_NEW_CUSTOMER,
            *calls("open_payment_page"),
            *commits("checkout.admit"),
        ),
        endings.paid_on_one_page,
        in_order=True,
    ),
    Scenario(
        "checkout reported",
        (steps.somebody_without_cards, steps.checks_out, steps.reports_are_held, steps.pays_on_the_page),
        steps.provider_reports,
        (
            *_REPORTED,
            *commits("purchase.settle", "cards.mirror"),
            *calls("retrieve_checkout", "retrieve_customer", "list_cards", "set_default_card"),
        ),
        endings.paid_on_one_page,
    ),
    Scenario(
        "checkout nobody pays",
        (steps.somebody_without_cards, steps.nothing_is_reported, steps.checks_out),
        steps.half_an_hour_passes,
        (*calls("retrieve_checkout"), *commits("purchase.look_later", "purchase.fail")),
        endings.page_closed,
    ),
    Scenario(
        "refund reported",
        (steps.somebody_with_three_cards, recharging(GOOD), steps.everything_is_told),
        steps.is_refunded,
        (*_RETURNED, *calls("retrieve_charge")),
        endings.taken_back,
    ),
    Scenario(
        "dispute reported",
        (steps.somebody_with_three_cards, recharging(GOOD), steps.everything_is_told),
        steps.is_disputed,
        (*_RETURNED, *calls("retrieve_dispute")),
        endings.taken_back,
    ),
    Scenario(
        "beginning a card",
        (steps.somebody_without_cards, steps.reports_are_held),
        steps.a_card_is_begun,
        (
            *commits("rate-limit"),
            *_NEW_CUSTOMER,
            *calls("create_setup_intent", "open_card_page"),
            *commits("cards.page"),
        ),
        endings.card_is_saved_once,
        in_order=True,
    ),
    Scenario(
        "card reported",
        (steps.somebody_without_cards, steps.a_card_is_confirmed),
        steps.provider_reports,
        (
            *commits("event.receive", "event.processed", "cards.mirror"),
            *calls("retrieve_customer", "list_cards", "set_default_card"),
        ),
        endings.card_is_saved_once,
    ),
    Scenario(
        "credits expiring",
        (steps.credits_expire_while_nothing_runs,),
        steps.a_second_passes,
        commits("credits.due"),
        endings.expired_once,
    ),
)
