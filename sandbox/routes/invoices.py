"""Routes of invoices, their items and their payments."""

from __future__ import annotations

from stripe import params as p

from sandbox.calls import Route
from sandbox.resources.invoices import invoice_items, invoices
from sandbox.shared_handlers import PAGING, PAGING_AND_CREATED, list_by, retrieve_by_id

_INVOICE = (
    "auto_advance collection_method default_payment_method default_tax_rates description discounts footer metadata"
    " statement_descriptor"
)

ROUTES = (
    Route(
        "POST",
        "/v1/invoiceitems",
        p.InvoiceItemCreateParams,
        invoice_items.create,
        "amount currency customer description discountable discounts invoice metadata period price_data pricing quantity tax_rates",
    ),
    Route(
        "GET",
        "/v1/invoiceitems",
        p.InvoiceItemListParams,
        invoice_items.list_items,
        f"{PAGING} customer invoice pending",
    ),
    Route("GET", "/v1/invoiceitems/{id}", p.InvoiceItemRetrieveParams, retrieve_by_id("invoiceitem")),
    Route("DELETE", "/v1/invoiceitems/{id}", p.InvoiceItemDeleteParams, invoice_items.delete),
    Route(
        "POST",
        "/v1/invoices",
        p.InvoiceCreateParams,
        invoices.create,
        f"{_INVOICE} currency customer pending_invoice_items_behavior subscription",
    ),
    Route(
        "GET",
        "/v1/invoices",
        p.InvoiceListParams,
        invoices.list_invoices,
        f"{PAGING_AND_CREATED} customer status subscription collection_method",
    ),
    Route("GET", "/v1/invoices/{id}", p.InvoiceRetrieveParams, retrieve_by_id("invoice")),
    Route("POST", "/v1/invoices/{id}", p.InvoiceUpdateParams, invoices.update, _INVOICE),
    Route("DELETE", "/v1/invoices/{id}", p.InvoiceDeleteParams, invoices.delete),
    Route("GET", "/v1/invoices/{id}/lines", p.InvoiceLineItemListParams, invoices.list_lines, "limit starting_after"),
    Route(
        "POST",
        "/v1/invoices/{id}/finalize",
        p.InvoiceFinalizeInvoiceParams,
        invoices.finalize,
        "auto_advance",
    ),
    Route(
        "POST",
        "/v1/invoices/{id}/pay",
        p.InvoicePayParams,
        invoices.pay,
        "payment_method off_session paid_out_of_band",
    ),
    Route("POST", "/v1/invoices/{id}/void", p.InvoiceVoidInvoiceParams, invoices.void),
    Route(
        "POST",
        "/v1/invoices/{id}/mark_uncollectible",
        p.InvoiceMarkUncollectibleParams,
        invoices.mark_uncollectible,
    ),
    Route(
        "GET",
        "/v1/invoice_payments",
        p.InvoicePaymentListParams,
        list_by("invoice_payment", "invoice", "status", "payment"),
        f"{PAGING_AND_CREATED} invoice status payment.type payment.payment_intent",
    ),
    Route("GET", "/v1/invoice_payments/{id}", p.InvoicePaymentRetrieveParams, retrieve_by_id("invoice_payment")),
)
