"""What is decided for later is read as it was kept."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from app.billing.subscriptions.pending_changes import (
    PendingChange,
    PendingChangeKind,
    pending_as_json,
    pending_from_json,
    pending_terms_id,
)
from app.billing.subscriptions.plan_choice import PlanChoice
from app.catalog import AddOnQuantity, BillingInterval, load_catalog, plan_terms
from tests.support.running_backend import CATALOGS

_CATALOG = load_catalog(CATALOGS / "messaging.toml")
_TERMS = plan_terms(_CATALOG, next(plan for plan in _CATALOG.plans if plan.add_ons))
_CHOICE = PlanChoice(_TERMS, BillingInterval.YEAR, 4, (AddOnQuantity(code=_TERMS.plan.add_ons[0].code, quantity=3),))
_SOON = datetime(2027, 3, 1, 12, 30, 0, 250, tzinfo=UTC)


@pytest.mark.parametrize(
    "pending",
    [
        PendingChange(kind=PendingChangeKind.DOWNGRADE, choice=_CHOICE, effective_at=_SOON),
        PendingChange(kind=PendingChangeKind.CANCELLATION, choice=None, effective_at=_SOON),
        PendingChange(kind=PendingChangeKind.AWAITING_PAYMENT, choice=_CHOICE, invoice_id="in_1", expires_at=_SOON),
    ],
    ids=lambda pending: pending.kind.value,
)
def test_a_pending_change_is_read_as_it_was_kept(pending: PendingChange) -> None:
    kept = json.loads(json.dumps(pending_as_json(pending)))
    terms_id = pending_terms_id(kept)
    assert terms_id == (_TERMS.id if pending.choice is not None else None)
    assert pending_from_json(kept, _TERMS if terms_id is not None else None) == pending


def test_nothing_pending_names_no_terms() -> None:
    assert pending_terms_id(None) is None
