"""The ledger's chart of accounts, the kinds of transaction between them, and the sources of grants."""

from __future__ import annotations

from enum import StrEnum


class Account(StrEnum):
    """Where credits can be. AVAILABLE and HELD are the workspace's own accounts; the others are their counter accounts."""

    AVAILABLE = "AVAILABLE"
    HELD = "HELD"
    PURCHASES = "PURCHASES"
    BONUSES = "BONUSES"
    ADJUSTMENTS = "ADJUSTMENTS"
    USAGE = "USAGE"
    EXPIRY = "EXPIRY"
    CLAWBACK = "CLAWBACK"


class Kind(StrEnum):
    """What a transaction did."""

    PURCHASE = "PURCHASE"
    AUTO_RECHARGE = "AUTO_RECHARGE"
    BONUS = "BONUS"
    ADJUSTMENT = "ADJUSTMENT"
    USAGE = "USAGE"
    HOLD = "HOLD"
    RELEASE = "RELEASE"
    CAPTURE = "CAPTURE"
    EXPIRY = "EXPIRY"
    CLAWBACK = "CLAWBACK"
    REINSTATEMENT = "REINSTATEMENT"


class Source(StrEnum):
    """Where a grant came from."""

    PURCHASE = "PURCHASE"
    AUTO_RECHARGE = "AUTO_RECHARGE"
    WELCOME_BONUS = "WELCOME_BONUS"
    PROMOTION = "PROMOTION"
    ADJUSTMENT = "ADJUSTMENT"

    @property
    def kind(self) -> Kind:
        """The kind of the transaction that brings a grant of this source."""
        match self:
            case Source.PURCHASE:
                return Kind.PURCHASE
            case Source.AUTO_RECHARGE:
                return Kind.AUTO_RECHARGE
            case Source.WELCOME_BONUS | Source.PROMOTION:
                return Kind.BONUS
            case Source.ADJUSTMENT:
                return Kind.ADJUSTMENT


COUNTER_ACCOUNT: dict[Kind, Account | None] = {
    Kind.PURCHASE: Account.PURCHASES,
    Kind.AUTO_RECHARGE: Account.PURCHASES,
    Kind.BONUS: Account.BONUSES,
    Kind.ADJUSTMENT: Account.ADJUSTMENTS,
    Kind.USAGE: Account.USAGE,
    Kind.HOLD: None,
    Kind.RELEASE: None,
    Kind.CAPTURE: Account.USAGE,
    Kind.EXPIRY: Account.EXPIRY,
    Kind.CLAWBACK: Account.CLAWBACK,
    Kind.REINSTATEMENT: Account.CLAWBACK,
}
"""The one account that a kind of transaction may touch beside the workspace's own two; None: it moves credits between those two."""
