"""Invoices: created as drafts, changed, deleted, finalized, paid, called off."""

from __future__ import annotations

from sandbox.calls import Call
from sandbox.errors import invalid_request, missing_param
from sandbox.events import emit, previous_attributes, snapshot
from sandbox.objects import Json
from sandbox.resources.invoices import voiding
from sandbox.resources.invoices.drafts import compute_draft, create_draft, set_advance_time, set_fields
from sandbox.resources.invoices.finalization import finalize_invoice
from sandbox.resources.invoices.invoice_object import subscription_of
from sandbox.resources.invoices.paying import PAYABLE, pay_invoice, pay_out_of_band
from sandbox.resources.invoices.subscription_drafts import create_subscription_draft, waiting_items
from sandbox.shared_handlers import answer_page, answer_part, page_query

_ALWAYS_UPDATABLE = {"expand", "metadata"}
_UPDATABLE_UNTIL_PAID = _ALWAYS_UPDATABLE | {"auto_advance", "default_payment_method"}


async def create(call: Call) -> Json:
    """POST /v1/invoices: a draft; with the customer's pending items if the parameters say so."""
    if "customer" not in call.params:
        raise missing_param("customer")
    if "subscription" in call.params:
        return await _create_for_subscription(call)
    return await create_draft(call.tx, call.params)


async def list_invoices(call: Call) -> Json:
    """GET /v1/invoices, by `customer`, `subscription`, `status` and `collection_method`."""
    query = page_query(call, "invoice")
    names = ("customer", "status", "collection_method")
    query.match = {name: call.params[name] for name in names if name in call.params}
    if "subscription" in call.params:
        query.match["parent"] = {"subscription_details": {"subscription": call.params["subscription"]}}
    return await answer_page(call, query)


async def update(call: Call) -> Json:
    """POST /v1/invoices/{id}; after finalization only some fields can be changed."""
    invoice = await call.tx.get("invoice", call.id)
    draft = invoice["status"] == "draft"
    updatable = _UPDATABLE_UNTIL_PAID if invoice["status"] in PAYABLE else _ALWAYS_UPDATABLE
    if not draft and (refused := call.params.keys() - updatable):
        raise invalid_request("Finalized invoices can't be updated in this way", param=min(refused))
    before = snapshot(invoice)
    await set_fields(call.tx, invoice, call.params)
    if draft:
        set_advance_time(invoice, call.tx.now)
        await compute_draft(call.tx, invoice)
    await call.tx.save(invoice)
    if changed := previous_attributes(before, invoice):
        await emit(call.tx, "invoice.updated", invoice, changed)
    return invoice


async def delete(call: Call) -> Json:
    """DELETE /v1/invoices/{id}: a draft and its items."""
    invoice = await call.tx.get("invoice", call.id)
    if invoice["status"] != "draft":
        raise invalid_request("You can only delete draft invoices.")
    if subscription_of(invoice) is not None:
        raise invalid_request("You can't delete invoices created by subscriptions.")
    for item in await call.tx.find_all("invoiceitem", {"invoice": invoice["id"]}):
        await call.tx.delete(item)
    await emit(call.tx, "invoice.deleted", invoice)
    return await call.tx.delete(invoice)


async def list_lines(call: Call) -> Json:
    """GET /v1/invoices/{id}/lines."""
    invoice = await call.tx.get("invoice", call.id)
    return answer_part(call, invoice["lines"]["data"])


async def finalize(call: Call) -> Json:
    """POST /v1/invoices/{id}/finalize."""
    invoice = await call.tx.get("invoice", call.id)
    if "auto_advance" in call.params:
        invoice["auto_advance"] = call.params["auto_advance"]
    return await finalize_invoice(call.tx, invoice)


async def _create_for_subscription(call: Call) -> Json:
    """Store a draft of what waits for a subscription's next invoice. Raises StripeError if nothing does."""
    tx = call.tx
    subscription = await tx.get("subscription", call.params["subscription"], "subscription")
    if subscription["customer"] != call.params["customer"]:
        raise invalid_request("The subscription belongs to another customer.", param="subscription")
    if not await waiting_items(tx, subscription):
        raise invalid_request("Nothing to invoice for subscription", code="invoice_no_subscription_line_items")
    draft = await create_subscription_draft(tx, subscription, [], reason="manual", period=(tx.now, tx.now))
    await set_fields(tx, draft, call.params)
    set_advance_time(draft, tx.now)
    await compute_draft(tx, draft)
    await tx.save(subscription | {"latest_invoice": draft["id"]})
    return draft


async def pay(call: Call) -> Json:
    """POST /v1/invoices/{id}/pay; a draft is finalized first.

    Raises a card error if the card is not charged or requires authentication.
    """
    tx, params = call.tx, call.params
    invoice = await tx.get("invoice", call.id)
    if invoice["status"] == "paid":
        raise invalid_request("Invoice is already paid")
    if invoice["status"] == "draft" and (await finalize_invoice(tx, invoice))["status"] == "paid":
        return invoice
    if invoice["status"] not in PAYABLE:
        raise voiding.not_open_error()
    if params.get("paid_out_of_band"):
        return await pay_out_of_band(tx, invoice)
    error = await pay_invoice(tx, invoice, params.get("payment_method"), off_session=params.get("off_session", True))
    if error is not None:
        raise error
    return await tx.get("invoice", invoice["id"])


async def void(call: Call) -> Json:
    """POST /v1/invoices/{id}/void."""
    return await voiding.void_invoice(call.tx, await call.tx.get("invoice", call.id))


async def mark_uncollectible(call: Call) -> Json:
    """POST /v1/invoices/{id}/mark_uncollectible."""
    return await voiding.mark_uncollectible(call.tx, await call.tx.get("invoice", call.id))
