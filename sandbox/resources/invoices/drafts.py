"""Draft invoices: created, and computed anew when their items change."""

from __future__ import annotations

from sandbox.currencies import checked_currency, minimum_charge
from sandbox.errors import invalid_request
from sandbox.events import emit, previous_attributes, snapshot
from sandbox.ids import new_id
from sandbox.metadata import merge_metadata
from sandbox.objects import Json, list_object, visible
from sandbox.resources.discounts.discount_object import discounts_from_params
from sandbox.resources.invoices.invoice_object import customer_fields, new_invoice
from sandbox.resources.invoices.line_object import lines_before_tax
from sandbox.resources.invoices.totals import apply_balance, invoice_totals, take_off_discounts
from sandbox.resources.payment_methods.attachment import not_attached_error
from sandbox.resources.tax.tax_amounts import amount_without_tax, line_taxes
from sandbox.resources.tax.tax_rates import check_tax_rates
from sandbox.store import Transaction

# an invoice with `auto_advance` waits this long as a draft, and again before it is paid
AUTO_ADVANCE_SECONDS = 3600

_UPDATABLE = (
    "auto_advance",
    "description",
    "footer",
    "statement_descriptor",
    "default_payment_method",
    "collection_method",
)


async def create_draft(tx: Transaction, params: Json) -> Json:
    """Store a new draft; with the customer's pending items if `pending_invoice_items_behavior` says so."""
    customer = await tx.get("customer", params["customer"], "customer")
    currency = checked_currency(params.get("currency") or customer["currency"] or "usd")
    invoice = new_invoice(new_id("in"), customer, currency, tx.now)
    await set_fields(tx, invoice, params)
    set_advance_time(invoice, tx.now)
    await tx.insert(invoice)
    if params.get("pending_invoice_items_behavior") == "include":
        pending = {"customer": customer["id"], "invoice": None, "currency": currency}
        for item in await tx.find_all("invoiceitem", pending):
            await tx.save(item | {"invoice": invoice["id"]})
    await compute_draft(tx, invoice)
    await emit(tx, "invoice.created", invoice)
    return invoice


async def set_fields(tx: Transaction, invoice: Json, params: Json) -> None:
    """Set the fields of an invoice that the parameters change, without storing it. Raises StripeError for wrong values."""
    if params.get("collection_method") == "send_invoice":
        raise invalid_request(
            "If invoice collection method is 'send_invoice', you must specify 'due_date' or 'days_until_due'."
        )
    for name in _UPDATABLE:
        if name in params:
            invoice[name] = params[name]
    if "default_tax_rates" in params:
        rates = list(params["default_tax_rates"] or [])
        new_rates = [rate for rate in rates if rate not in invoice["_default_tax_rates"]]
        await check_tax_rates(tx, new_rates, "default_tax_rates")
        invoice["_default_tax_rates"] = rates
    if params.get("default_payment_method"):
        method = await tx.get("payment_method", params["default_payment_method"], "default_payment_method")
        if method["customer"] != invoice["customer"]:
            raise not_attached_error(method["id"], "default_payment_method")
    if "discounts" in params:
        owner = {"invoice": invoice["id"], "customer": invoice["customer"]}
        invoice["_discounts"] = await discounts_from_params(
            tx, params["discounts"], invoice["currency"], owner, invoice["_discounts"]
        )
    invoice["metadata"] = merge_metadata(invoice["metadata"], params.get("metadata"))


def set_advance_time(invoice: Json, now: int) -> None:
    """Set when a draft with `auto_advance` is finalized by itself."""
    invoice["automatically_finalizes_at"] = now + AUTO_ADVANCE_SECONDS if invoice["auto_advance"] else None


async def get_draft(tx: Transaction, invoice_id: str) -> Json:
    """Return the draft that the parameter `invoice` names. Raises StripeError for an invoice that is finalized."""
    invoice = await tx.get("invoice", invoice_id, "invoice")
    if invoice["status"] != "draft":
        raise invalid_request("This invoice is no longer editable", code="invoice_not_editable", param="invoice")
    return invoice


async def update_draft(tx: Transaction, invoice: Json) -> None:
    """Compute a draft anew after a change of its items or of its customer."""
    before = snapshot(invoice)
    await compute_draft(tx, invoice)
    if changed := previous_attributes(before, invoice):
        await emit(tx, "invoice.updated", invoice, changed)


async def compute_draft(tx: Transaction, invoice: Json) -> None:
    """Compute and store the lines and totals of a draft, from its items and its customer as they are now."""
    customer = await tx.get("customer", invoice["customer"], "customer")
    invoice |= customer_fields(customer)
    invoice["customer_tax_ids"] = [
        {"type": tax_id["type"], "value": tax_id["value"]}
        for tax_id in await tx.find_all("tax_id", {"customer": customer["id"]})
    ]
    rates: dict[str, Json] = {}
    invoice["default_tax_rates"] = [visible(rate) for rate in await _rates(tx, invoice["_default_tax_rates"], rates)]
    lines = lines_before_tax(invoice, await tx.find_all("invoiceitem", {"invoice": invoice["id"]}))
    take_off_discounts(lines, invoice["_discounts"])
    for line in lines:
        own_rates = line["_rates"]
        applied = await _rates(tx, invoice["_default_tax_rates"] if own_rates is None else own_rates, rates)
        exempt = line["_tax_exempt"] or invoice["customer_tax_exempt"]
        off = sum(entry["amount"] for entry in line["discount_amounts"])
        line["taxes"] = line_taxes(line["amount"] - off, applied, exempt)
        line["subtotal"] = line["amount"]
        line["_without_tax"] = amount_without_tax(line["amount"], line_taxes(line["amount"], applied, exempt))
    invoice["lines"] = list_object(lines, f"/v1/invoices/{invoice['id']}/lines")
    invoice |= invoice_totals(lines)
    invoice["discounts"] = [discount["id"] for discount in invoice["_discounts"]]
    invoice["starting_balance"] = customer["balance"]
    due, _ = apply_balance(invoice["total"], customer["balance"], minimum_charge(invoice["currency"]))
    invoice |= {"amount_due": due, "amount_remaining": due}
    await tx.save(invoice)


async def _rates(tx: Transaction, rate_ids: list[str], known: dict[str, Json]) -> list[Json]:
    """Return tax rates; those loaded before are in `known`."""
    for rate_id in rate_ids:
        if rate_id not in known:
            known[rate_id] = await tx.get("tax_rate", rate_id)
    return [known[rate_id] for rate_id in rate_ids]
