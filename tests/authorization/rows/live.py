"""What can be watched."""

from __future__ import annotations

from tests.authorization.callers import SEE_BILLING, SEE_WORKSPACE
from tests.authorization.rows.makers import the_workspace
from tests.authorization.scene import Scene
from tests.authorization.table import Outcome, Row, Variables, all_of
from tests.support import operations


async def _the_purchase(scene: Scene) -> Variables:
    return {"id": scene.ids["CreditPurchase"]}


ROWS = [
    Row("LiveUpdates.creditBalanceChanged", operations.WATCH_BALANCE, SEE_BILLING, given=the_workspace),
    Row("LiveUpdates.creditPurchaseChanged", operations.WATCH_PURCHASE, SEE_BILLING, given=_the_purchase),
    Row(
        "LiveUpdates.paymentMethodsChanged",
        "subscription ($id: ID!) { paymentMethodsChanged(workspaceId: $id) { paymentMethods { id } } }",
        SEE_BILLING,
        given=the_workspace,
    ),
    Row(
        "LiveUpdates.invoiceChanged",
        'subscription ($id: ID!) { invoiceChanged(workspaceId: $id, since: "2020-01-01T00:00:00Z") { number } }',
        SEE_BILLING,
        given=the_workspace,
    ),
    Row(
        "LiveUpdates.subscriptionChanged",
        operations.WATCH_SUBSCRIPTION,
        SEE_WORKSPACE,
        given=the_workspace,
        label="with its plan",
    ),
    Row(
        "LiveUpdates.subscriptionChanged",
        "subscription ($id: ID!) { subscriptionChanged(workspaceId: $id) { recurringPrice { amount } } }",
        SEE_BILLING,
        given=the_workspace,
        denied=all_of(SEE_WORKSPACE, Outcome.NULL),
        path=("subscriptionChanged", "recurringPrice"),
        label="with its price",
    ),
    Row(
        "LiveUpdates.usageChanged",
        operations.WATCH_USAGE,
        SEE_WORKSPACE,
        given=the_workspace,
        label="with its bars",
    ),
    Row(
        "LiveUpdates.usageChanged",
        "subscription ($id: ID!) { usageChanged(workspaceId: $id) { bars { creditsSpent } } }",
        SEE_BILLING,
        given=the_workspace,
        denied=all_of(SEE_WORKSPACE, Outcome.NULL),
        path=("usageChanged", "bars", "0", "creditsSpent"),
        label="with credits",
    ),
]
