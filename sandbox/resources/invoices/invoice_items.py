"""Invoice items: what is to be billed, on a draft or pending for the next invoice."""

from __future__ import annotations

from decimal import Decimal

from sandbox.calls import Call, answer_page, paged
from sandbox.errors import Json, invalid
from sandbox.events import emit
from sandbox.ids import new_id
from sandbox.metadata import merged
from sandbox.resources.invoices import invoices
from sandbox.resources.invoices.totals import rounded
from sandbox.resources.products.products import make_inline_price
from sandbox.store import Transaction


async def create(call: Call) -> Json:
    """POST /v1/invoiceitems: with an amount, or a price and a quantity."""
    tx, params = call.tx, call.params
    invoice = await _draft(tx, params["invoice"]) if "invoice" in params else None
    customer_id = params.get("customer") or (invoice["customer"] if invoice else None)
    if customer_id is None:
        raise invalid("Missing required param: customer.", code="parameter_missing", param="customer")
    customer = await tx.get("customer", customer_id, "customer")
    if invoice is not None and invoice["customer"] != customer["id"]:
        raise invalid(f"The invoice {invoice['id']} belongs to another customer.", param="invoice")
    priced = await _priced(tx, params, invoice)
    if invoice is not None and priced["currency"] != invoice["currency"]:
        raise invalid(
            f"The currency of the invoice item ({priced['currency']}) does not match that of the invoice"
            f" ({invoice['currency']}).",
            param="currency",
        )
    for rate in params.get("tax_rates", []):
        await tx.get("tax_rate", rate, "tax_rates")
    item = await _make(tx, params, customer["id"], priced, invoice)
    if invoice is not None:
        await invoices.recompute(tx, invoice)
    return item


async def make_from_price(tx: Transaction, invoice: Json, price: Json, quantity: int, rates: list[str]) -> Json:
    """Store an item for a price on a draft, whose totals are computed later."""
    params: Json = {"tax_rates": rates}
    return await _make(tx, params, invoice["customer"], _by_price(price, quantity), invoice)


async def _make(tx: Transaction, params: Json, customer_id: str, priced: Json, invoice: Json | None) -> Json:
    item: Json = priced | {
        "id": new_id("ii"),
        "object": "invoiceitem",
        "customer": customer_id,
        "customer_account": None,
        "date": tx.now,
        "description": params.get("description"),
        "discountable": params.get("discountable", priced["amount"] >= 0),
        "discounts": [],
        "invoice": invoice["id"] if invoice else None,
        "livemode": False,
        "metadata": merged({}, params.get("metadata")),
        "net_amount": priced["amount"],
        "parent": None,
        "period": params.get("period", {"start": tx.now, "end": tx.now}),
        "proration": False,
        "tax_rates": params.get("tax_rates", []),
        "test_clock": None,
    }
    if item["description"] is None and item["_product"] is not None:
        item["description"] = (await tx.get("product", item["_product"]))["name"]
    await tx.insert(item)
    await emit(tx, "invoiceitem.created", item)
    return item


async def _draft(tx: Transaction, invoice_id: str) -> Json:
    invoice = await tx.get("invoice", invoice_id, "invoice")
    invoices.require_draft(invoice)
    return invoice


async def _priced(tx: Transaction, params: Json, invoice: Json | None) -> Json:
    """Return amount, currency, quantity and pricing of an item."""
    price: Json | None = None
    if "pricing" in params and "price" in params["pricing"]:
        price = await tx.get("price", params["pricing"]["price"], "pricing[price]")
    elif "price_data" in params:
        price = await make_inline_price(tx, params["price_data"])
    chosen, excluded = ("price", "amount") if price else ("amount", "quantity")
    if excluded in params:
        raise invalid(f"You may only specify one of these parameters: {chosen}, {excluded}.", param=excluded)
    if price is not None:
        if price["type"] == "recurring":
            raise invalid("The price specified is set to `type=recurring`, an invoice item needs a one-time price.")
        return _by_price(price, params.get("quantity", 1))
    if "amount" not in params:
        raise invalid("Missing required param: amount.", code="parameter_missing", param="amount")
    currency = params.get("currency") or (invoice["currency"] if invoice else None)
    if currency is None:
        raise invalid("Missing required param: currency.", code="parameter_missing", param="currency")
    return _pricing(params["amount"], currency.lower(), 1, Decimal(params["amount"]), None)


def _by_price(price: Json, quantity: int) -> Json:
    unit = Decimal(price["unit_amount_decimal"])
    return _pricing(rounded(unit * quantity), price["currency"], quantity, unit, price)


def _pricing(amount: int, currency: str, quantity: int, unit: Decimal, price: Json | None) -> Json:
    details = {"price": price["id"], "product": price["product"]} if price else None
    return {
        "amount": amount,
        "currency": currency,
        "quantity": quantity,
        "quantity_decimal": str(quantity),
        "pricing": {"type": "price_details", "price_details": details, "unit_amount_decimal": format(unit, "f")},
        "_product": price["product"] if price else None,
    }


async def delete(call: Call) -> Json:
    """DELETE /v1/invoiceitems/{id}, while its invoice is a draft."""
    item = await call.tx.get("invoiceitem", call.id)
    invoice = await _draft(call.tx, item["invoice"]) if item["invoice"] else None
    await emit(call.tx, "invoiceitem.deleted", item)
    remainder = await call.tx.delete(item)
    if invoice is not None:
        await invoices.recompute(call.tx, invoice)
    return remainder


async def list_items(call: Call) -> Json:
    """GET /v1/invoiceitems, by customer, invoice, or only those still pending."""
    query = paged(call, "invoiceitem")
    query.match = {name: call.params[name] for name in ("customer", "invoice") if name in call.params}
    if call.params.get("pending"):
        query.match["invoice"] = None
    return await answer_page(call, query)
