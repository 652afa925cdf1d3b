"""A workspace's subscription: everyone in the workspace sees the plan, those who see billing the money."""

from __future__ import annotations

from tests.authorization.callers import OUTSIDERS, SEE_BILLING, SEE_WORKSPACE
from tests.authorization.rows.makers import fields_of_subscription, the_workspace
from tests.authorization.table import Outcome, Row, all_of

_MONEY_OF_PENDING = {"recurringPrice": "{ amount }", "expiresAt": "", "invoice": "{ id }"}
_PENDING = {
    "kind": "",
    "plan": "{ code }",
    "interval": "",
    "seats": "",
    "addOns": "{ quantity }",
    **_MONEY_OF_PENDING,
}

ROWS = [
    *fields_of_subscription(
        {
            "id": ("", SEE_WORKSPACE),
            "plan": ("{ code }", SEE_WORKSPACE),
            "status": ("", SEE_WORKSPACE),
            "interval": ("", SEE_WORKSPACE),
            "seats": ("{ total used available }", SEE_WORKSPACE),
            "addOns": ("{ quantity }", SEE_WORKSPACE),
            "currentPeriod": ("{ start end }", SEE_WORKSPACE),
            "renewsAt": ("", SEE_WORKSPACE),
            "trialEndsAt": ("", SEE_WORKSPACE),
            "graceEndsAt": ("", SEE_BILLING),
            "cancelAtPeriodEnd": ("", SEE_WORKSPACE),
            "recurringPrice": ("{ amount }", SEE_BILLING),
            "recurringTotal": ("{ amount }", SEE_BILLING),
            "version": ("", SEE_WORKSPACE),
        }
    ),
    *[
        Row(
            "Subscription.pendingChange",
            f"query ($id: ID!) {{ workspace(id: $id) {{ subscription {{ pendingChange {{ {name} {selection} }} }} }} }}",
            SEE_BILLING if name in _MONEY_OF_PENDING else SEE_WORKSPACE,
            given=the_workspace,
            denied=all_of(SEE_WORKSPACE | OUTSIDERS, Outcome.NULL),
            path=("workspace", "subscription", "pendingChange", name),
            label=name,
        )
        for name, selection in _PENDING.items()
    ],
]
