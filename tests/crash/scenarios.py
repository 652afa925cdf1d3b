"""What servers are killed at with purchases, cards and credits, and, from other modules, with subscriptions, seats and usage.

A new scenario is one entry in `SCENARIOS`. A step added to the product makes a scenario's list of points wrong until it is listed,
and then it is struck, unless it leaves nothing else behind. A point costs a second or two: a customer is made, the server is ended
at the point and started again.
"""

from __future__ import annotations

from typing import Final

from tests.crash import endings, steps
from tests.crash.scenario import NEW_CUSTOMER, Scenario, calls, commits
from tests.crash.seat_scenarios import SEAT_SCENARIOS
from tests.crash.steps import ASKING, FAILING, GOOD, killed_at, recharging
from tests.crash.subscription_scenarios import SUBSCRIPTION_SCENARIOS
from tests.crash.usage_scenarios import USAGE_SCENARIOS

_TO_PAYMENT: Final = (
    *commits("recharge.begin"),
    *calls("create_invoice"),
    *commits("recharge.save_invoice"),
    *calls("add_charge", "finalize_invoice", "retrieve_tax_rate"),
    *commits("recharge.admit"),
    *calls("pay_invoice", "retrieve_invoice"),
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
            *NEW_CUSTOMER,
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
            *NEW_CUSTOMER,
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
    *SUBSCRIPTION_SCENARIOS,
    *SEAT_SCENARIOS,
    *USAGE_SCENARIOS,
)
