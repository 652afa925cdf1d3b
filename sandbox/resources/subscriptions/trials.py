"""Trials: when one ends, and what then follows without a card."""

from __future__ import annotations

from sandbox.errors import invalid_request
from sandbox.objects import Json
from sandbox.store import Transaction

LONGEST_DAYS = 730
NOTICE_SECONDS = 3 * 86400

_SECONDS_OF_A_DAY = 86400


def trial_end_from_params(params: Json, now: int) -> int | None:
    """Return when the trial ends that the parameters ask for; None without one. Raises StripeError for an end too far away."""
    if "trial_end" in params and "trial_period_days" in params:
        raise invalid_request("You can't pass both trial_end and trial_period_days.", param="trial_end")
    end: int | None = None
    if "trial_period_days" in params:
        days: int = params["trial_period_days"]
        if days < 0:
            raise invalid_request("Invalid non-negative integer", param="trial_period_days")
        end = now + days * _SECONDS_OF_A_DAY if days else None
    elif params.get("trial_end", "now") != "now":
        end = params["trial_end"]
    if end is None:
        return None
    if end <= now:
        raise invalid_request("Invalid timestamp: must be an integer Unix timestamp in the future.", param="trial_end")
    if end > now + LONGEST_DAYS * _SECONDS_OF_A_DAY:
        raise invalid_request(f"The trial can't be longer than {LONGEST_DAYS} days.", param="trial_end")
    return end


def start_trial(subscription: Json, end: int, now: int) -> None:
    """Let a subscription be on trial until `end`, which becomes its anchor; its items' periods are the trial."""
    subscription |= {
        "status": "trialing",
        "trial_start": now if subscription["trial_start"] is None else subscription["trial_start"],
        "trial_end": end,
        "billing_cycle_anchor": end,
        "_trial_notice_at": max(now, end - NOTICE_SECONDS),
    }
    for item in subscription["items"]["data"]:
        item |= {"current_period_start": now, "current_period_end": end}


async def payment_method_of(tx: Transaction, subscription: Json) -> str | None:
    """Return the card that the subscription is charged with: its own, or else its customer's."""
    customer = await tx.get("customer", subscription["customer"])
    default: str | None = customer["invoice_settings"]["default_payment_method"]
    return subscription["default_payment_method"] or default
