"""Stripe's documented test cards and what each of them does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Decline:
    """Why a card is declined."""

    code: str
    decline_code: str | None
    message: str


_GENERIC = Decline("card_declined", "generic_decline", "Your card was declined.")
_FUNDS = Decline("card_declined", "insufficient_funds", "Your card has insufficient funds.")


@dataclass(frozen=True)
class Card:
    """A test card: what it looks like and what it does.

    With a `decline`, charges are declined, but `can_be_saved` may still allow to attach the card. The three fields about
    authentication say when the cardholder must authenticate: when the card is set up, when they are present at a payment,
    and when they are not (off-session). `dispute_reason` is that of the dispute opened soon after a charge.
    `refund_statuses` are the status of a new refund (`pending` or `succeeded`) and the one it gets later (`succeeded` or
    `failed`).
    """

    number: str
    tokens: tuple[str, ...]
    brand: str = "visa"
    country: str = "US"
    funding: str = "credit"
    decline: Decline | None = None
    can_be_saved: bool = True
    setup_authentication: bool = False
    payment_authentication: bool = False
    off_session_authentication: Literal["never", "always", "unless_set_up"] = "never"
    dispute_reason: str | None = None
    refund_statuses: tuple[str, str] | None = None
    label: str = "Payment succeeds"

    @property
    def token(self) -> str:
        """The token by which payment methods name their test card."""
        return self.tokens[0]


def _declining(number: str, decline: Decline, *tokens: str) -> Card:
    label = f"Declined: {decline.decline_code or decline.code}"
    return Card(number, tokens, decline=decline, can_be_saved=False, label=label)


CARDS = (
    Card("4242424242424242", ("pm_card_visa",)),
    Card("4000056655665556", ("pm_card_visa_debit",), funding="debit"),
    Card("5555555555554444", ("pm_card_mastercard",), "mastercard"),
    Card("5200828282828210", ("pm_card_mastercard_debit",), "mastercard", funding="debit"),
    Card("5105105105105100", ("pm_card_mastercard_prepaid",), "mastercard", funding="prepaid"),
    Card("378282246310005", ("pm_card_amex",), "amex"),
    Card("6011111111111117", ("pm_card_discover",), "discover"),
    Card("3056930009020004", ("pm_card_diners",), "diners"),
    Card("3566002020360505", ("pm_card_jcb",), "jcb", "JP"),
    Card("6200000000000005", ("pm_card_unionpay",), "unionpay", "CN"),
    Card("4000005280000002", ("pm_card_nl",), country="NL"),
    _declining("4000000000000002", _GENERIC, "pm_card_visa_chargeDeclined", "pm_card_chargeDeclined"),
    _declining(
        "4000000000009995",
        _FUNDS,
        "pm_card_visa_chargeDeclinedInsufficientFunds",
        "pm_card_chargeDeclinedInsufficientFunds",
    ),
    _declining(
        "4000000000009987",
        Decline("card_declined", "lost_card", "Your card was declined."),
        "pm_card_visa_chargeDeclinedLostCard",
        "pm_card_chargeDeclinedLostCard",
    ),
    _declining(
        "4000000000009979",
        Decline("card_declined", "stolen_card", "Your card was declined."),
        "pm_card_visa_chargeDeclinedStolenCard",
        "pm_card_chargeDeclinedStolenCard",
    ),
    _declining(
        "4000000000000069",
        Decline("expired_card", None, "Your card has expired."),
        "pm_card_chargeDeclinedExpiredCard",
    ),
    _declining(
        "4000000000000127",
        Decline("incorrect_cvc", None, "Your card's security code is incorrect."),
        "pm_card_chargeDeclinedIncorrectCvc",
    ),
    _declining(
        "4000000000000119",
        Decline("processing_error", None, "An error occurred while processing your card. Try again in a little bit."),
        "pm_card_chargeDeclinedProcessingError",
    ),
    _declining(
        "4000000000006975",
        Decline("card_declined", "card_velocity_exceeded", "Your card was declined for exceeding its limit."),
        "pm_card_visa_chargeDeclinedVelocityLimitExceeded",
        "pm_card_chargeDeclinedVelocityLimitExceeded",
    ),
    Card(
        "4000000000000341",
        ("pm_card_chargeCustomerFail",),
        decline=_GENERIC,
        label="Can be saved, declined when charged",
    ),
    Card(
        "4000002500003155",
        ("pm_card_authenticationRequiredOnSetup",),
        setup_authentication=True,
        payment_authentication=True,
        off_session_authentication="unless_set_up",
        label="Authentication, unless set up before",
    ),
    Card(
        "4000002760003184",
        ("pm_card_authenticationRequired",),
        setup_authentication=True,
        payment_authentication=True,
        off_session_authentication="always",
        label="Authentication on every payment",
    ),
    Card(
        "4000003800000446",
        ("pm_card_authenticationRequiredSetupForOffSession",),
        payment_authentication=True,
        label="Authentication when present, none off-session",
    ),
    Card(
        "4000008260003178",
        ("pm_card_authenticationRequiredChargeDeclinedInsufficientFunds",),
        setup_authentication=True,
        payment_authentication=True,
        off_session_authentication="always",
        decline=_FUNDS,
        label="Authentication, then declined: insufficient_funds",
    ),
    Card(
        "4000000000003220",
        ("pm_card_threeDSecure2Required",),
        setup_authentication=True,
        payment_authentication=True,
        off_session_authentication="always",
        label="3D Secure 2 on every payment",
    ),
    Card(
        "4000008400001629",
        ("pm_card_threeDSecureRequiredChargeDeclined",),
        setup_authentication=True,
        payment_authentication=True,
        off_session_authentication="always",
        decline=_GENERIC,
        label="3D Secure, then declined",
    ),
    Card("4000000000003055", ("pm_card_threeDSecureOptional",), label="3D Secure possible, not asked for"),
    Card("4000000000000259", ("pm_card_createDispute",), dispute_reason="fraudulent", label="Succeeds, then disputed"),
    Card(
        "4000000000002685",
        ("pm_card_createDisputeProductNotReceived",),
        dispute_reason="product_not_received",
        label="Succeeds, then disputed: product not received",
    ),
    Card(
        "4000000000007726",
        ("pm_card_pendingRefund",),
        refund_statuses=("pending", "succeeded"),
        label="Succeeds; a refund is pending at first",
    ),
    Card(
        "4000000000005126",
        ("pm_card_refundFail",),
        refund_statuses=("succeeded", "failed"),
        label="Succeeds; a refund fails afterwards",
    ),
)

BY_TOKEN = {token: card for card in CARDS for token in card.tokens}
BY_NUMBER = {card.number: card for card in CARDS}
