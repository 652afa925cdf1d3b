"""Invoice items: what is to be billed, on a draft or pending for the next invoice."""

from __future__ import annotations

from sandbox.calls import Call
from sandbox.currencies import check_amount, checked_currency
from sandbox.errors import invalid_request, missing_param
from sandbox.events import emit
from sandbox.objects import Json
from sandbox.resources.discounts.discount_object import discounts_from_params
from sandbox.resources.invoices.drafts import get_draft, update_draft
from sandbox.resources.invoices.invoice_item_object import amount_fields, create_item, price_fields
from sandbox.resources.products.prices import create_inline_price, get_price_to_sell
from sandbox.resources.tax.tax_rates import check_tax_rates
from sandbox.shared_handlers import answer_page, page_query
from sandbox.store import Transaction


async def create(call: Call) -> Json:
    """POST /v1/invoiceitems: with an amount, or a price and a quantity."""
    tx, params = call.tx, call.params
    invoice = await get_draft(tx, params["invoice"]) if "invoice" in params else None
    customer_id = params.get("customer") or (invoice["customer"] if invoice else None)
    if customer_id is None:
        raise missing_param("customer")
    customer = await tx.get("customer", customer_id, "customer")
    if invoice is not None and invoice["customer"] != customer["id"]:
        raise invalid_request(f"The invoice {invoice['id']} belongs to another customer.", param="invoice")
    priced = await _priced(tx, params, invoice)
    if invoice is not None and priced["currency"] != invoice["currency"]:
        raise invalid_request(
            f"The currency of the invoice item ({priced['currency']}) does not match that of the invoice"
            f" ({invoice['currency']}).",
            param="currency",
        )
    check_amount(priced["amount"], priced["currency"], "quantity" if "quantity" in params else "amount")
    await check_tax_rates(tx, params.get("tax_rates", []), "tax_rates")
    owner = {"customer": customer["id"], "invoice": invoice["id"] if invoice else None}
    discounts = await discounts_from_params(tx, params.get("discounts"), priced["currency"], owner, [])
    item = await create_item(tx, params | {"_discounts": discounts}, customer["id"], priced, invoice)
    if invoice is not None:
        await update_draft(tx, invoice)
    return item


async def delete(call: Call) -> Json:
    """DELETE /v1/invoiceitems/{id}, while its invoice is a draft."""
    item = await call.tx.get("invoiceitem", call.id)
    invoice = await get_draft(call.tx, item["invoice"]) if item["invoice"] else None
    await emit(call.tx, "invoiceitem.deleted", item)
    deleted = await call.tx.delete(item)
    if invoice is not None:
        await update_draft(call.tx, invoice)
    return deleted


async def list_items(call: Call) -> Json:
    """GET /v1/invoiceitems, by customer, invoice, or only those still pending."""
    query = page_query(call, "invoiceitem")
    query.match = {name: call.params[name] for name in ("customer", "invoice") if name in call.params}
    if call.params.get("pending"):
        query.match["invoice"] = None
    return await answer_page(call, query)


async def _priced(tx: Transaction, params: Json, invoice: Json | None) -> Json:
    """Return the fields about the price: by a price and a quantity, or by an amount and a currency."""
    price: Json | None = None
    if "pricing" in params and "price" in params["pricing"]:
        price = await get_price_to_sell(tx, params["pricing"]["price"], "pricing[price]")
    elif "price_data" in params:
        price = await create_inline_price(tx, params["price_data"])
    chosen, excluded = ("price", "amount") if price else ("amount", "quantity")
    if excluded in params:
        raise invalid_request(f"You may only specify one of these parameters: {chosen}, {excluded}.", param=excluded)
    if price is not None:
        if price["type"] == "recurring":
            raise invalid_request(
                "The price specified is set to `type=recurring`, an invoice item needs a one-time price."
            )
        quantity = params.get("quantity", 1)
        if quantity < 0:
            raise invalid_request("Invalid non-negative integer", code="parameter_invalid_integer", param="quantity")
        return price_fields(price, quantity)
    if "amount" not in params:
        raise missing_param("amount")
    currency = params.get("currency") or (invoice["currency"] if invoice else None)
    if currency is None:
        raise missing_param("currency")
    return amount_fields(params["amount"], checked_currency(currency))
