"""What is sold, cards, invoices, and buying credits."""

from __future__ import annotations

from uuid import uuid4

from tests.authorization.callers import EVERYONE, MANAGE_BILLING, SEE_BILLING
from tests.authorization.rows.makers import nodes
from tests.authorization.scene import Scene
from tests.authorization.table import Row, Variables
from tests.support import operations


async def _the_workspace(scene: Scene) -> Variables:
    return {"input": {"workspaceId": scene.workspace}}


async def _an_order(scene: Scene) -> Variables:
    return {"input": {"workspaceId": scene.workspace, "packCode": "starter", "idempotencyKey": uuid4().hex}}


async def _a_change_said_twice(scene: Scene) -> Variables:
    twice = [{"addOnCode": "fax", "quantity": 1}] * 2
    return {"input": {"workspaceId": scene.workspace, "addOns": twice}}


async def _a_name_on_invoices(scene: Scene) -> Variables:
    return {"input": {"workspaceId": scene.workspace, "name": "Example B.V."}}


async def _the_card(scene: Scene) -> Variables:
    return {"input": {"id": scene.ids["PaymentMethod"]}}


async def _another_card(scene: Scene) -> Variables:
    return {"input": {"id": await scene.backend.add_card(scene.owner, "pm_card_mastercard")}}


async def _the_invoice(scene: Scene) -> Variables:
    return {"input": {"invoiceId": scene.ids["Invoice"], "idempotencyKey": uuid4().hex}}


ROWS = [
    Row("Query.catalog", "{ catalog { name } }", EVERYONE),
    Row(
        "Query.subscriptionChangePreview",
        "query ($input: SubscriptionChangeInput!) { subscriptionChangePreview(input: $input) { timing userErrors { code } } }",
        MANAGE_BILLING,
        given=_a_change_said_twice,
        # refused before Stripe is asked, which knows nothing of the scene's subscription
        may_answer=frozenset({"INVALID_INPUT"}),
    ),
    Row("Mutation.rechargeCredits", operations.RECHARGE, MANAGE_BILLING, given=_an_order),
    Row("Mutation.addPaymentMethod", operations.ADD_CARD, MANAGE_BILLING, given=_the_workspace),
    Row(
        "Mutation.setDefaultPaymentMethod",
        "mutation ($input: IdInput!) { setDefaultPaymentMethod(input: $input) { paymentMethod { id } userErrors { code } } }",
        MANAGE_BILLING,
        given=_the_card,
    ),
    Row(
        "Mutation.removePaymentMethod",
        "mutation ($input: IdInput!) { removePaymentMethod(input: $input) { workspace { id } userErrors { code } } }",
        MANAGE_BILLING,
        given=_another_card,
    ),
    Row(
        "Mutation.payInvoice",
        "mutation ($input: PayInvoiceInput!) { payInvoice(input: $input) { invoice { id } userErrors { code } } }",
        MANAGE_BILLING,
        given=_the_invoice,
        # it is paid already, which is told only to who may pay it
        may_answer=frozenset({"NO_CHANGE"}),
    ),
    Row(
        "Mutation.updateBillingDetails",
        """mutation ($input: UpdateBillingDetailsInput!) {
          updateBillingDetails(input: $input) { workspace { id } userErrors { code } } }""",
        MANAGE_BILLING,
        given=_a_name_on_invoices,
    ),
    Row(
        "Mutation.createBillingPortal",
        "mutation ($input: CreateBillingPortalInput!) { createBillingPortal(input: $input) { url userErrors { code } } }",
        MANAGE_BILLING,
        given=_the_workspace,
    ),
    *nodes({"Plan": EVERYONE, "CreditPack": EVERYONE}),
    *nodes(dict.fromkeys(("PaymentMethod", "Invoice", "CreditPurchase"), SEE_BILLING)),
]
