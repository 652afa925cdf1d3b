"""What is already decided for a subscription and takes effect later, as it is kept with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from app.billing.subscriptions.plan_choice import PlanChoice, choice_as_json, choice_from_json
from app.catalog import PlanTerms


class PendingChangeKind(StrEnum):
    """What waits: less at the period's end, the end itself, or an upgrade until its payment is through."""

    DOWNGRADE = "DOWNGRADE"
    CANCELLATION = "CANCELLATION"
    AWAITING_PAYMENT = "AWAITING_PAYMENT"


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingChange:
    """A change that takes effect later.

    `choice` is what there will be, None for the fallback plan. `effective_at` is when it takes effect, None for an upgrade, which
    does as soon as the provider's invoice `invoice_id` is paid, and lapses at `expires_at`.
    """

    kind: PendingChangeKind
    choice: PlanChoice | None
    effective_at: datetime | None = None
    invoice_id: str | None = None
    expires_at: datetime | None = None


def pending_as_json(pending: PendingChange) -> dict[str, Any]:
    """A pending change as it is kept."""
    return {
        "kind": pending.kind.value,
        "choice": choice_as_json(pending.choice) if pending.choice is not None else None,
        "effective_at": _text(pending.effective_at),
        "invoice_id": pending.invoice_id,
        "expires_at": _text(pending.expires_at),
    }


def pending_from_json(kept: Mapping[str, Any], terms: PlanTerms | None) -> PendingChange:
    """The pending change that was kept; `terms` are those that `pending_terms_id` names, None where it names none."""
    choice = kept["choice"]
    assert (choice is None) == (terms is None), "the terms are those of the choice"
    return PendingChange(
        kind=PendingChangeKind(kept["kind"]),
        choice=choice_from_json(choice, terms) if choice is not None and terms is not None else None,
        effective_at=_time(kept["effective_at"]),
        invoice_id=kept["invoice_id"],
        expires_at=_time(kept["expires_at"]),
    )


def pending_terms_id(kept: Mapping[str, Any] | None) -> str | None:
    """The id of the terms that a kept pending change names; None where nothing is pending, or the fallback plan is."""
    choice = kept["choice"] if kept is not None else None
    return choice["terms_id"] if choice is not None else None


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text is not None else None
