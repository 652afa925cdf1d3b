"""Routes of what is sold and of the invoices that bill it."""

from __future__ import annotations

from stripe import params as p

from sandbox.calls import PAGING, PAGING_UNDATED, Route, listing, retrieve
from sandbox.resources.invoices import invoice_items, invoices
from sandbox.resources.invoices import paying as invoice_payment
from sandbox.resources.products import products

_PRODUCT = "active default_price description metadata name statement_descriptor tax_code unit_label"
_PRICE_DATA = "currency metadata nickname recurring tax_behavior unit_amount unit_amount_decimal"

CATALOG = (
    Route(
        "POST",
        "/v1/products",
        p.ProductCreateParams,
        products.create_product,
        "id active description metadata name statement_descriptor tax_code unit_label",
    ),
    Route("GET", "/v1/products", p.ProductListParams, products.list_products, f"{PAGING} active ids"),
    Route("GET", "/v1/products/{id}", p.ProductRetrieveParams, retrieve("product")),
    Route("POST", "/v1/products/{id}", p.ProductUpdateParams, products.update_product, _PRODUCT),
    Route(
        "POST",
        "/v1/prices",
        p.PriceCreateParams,
        products.create_price,
        f"{_PRICE_DATA} active lookup_key transfer_lookup_key product product_data.id product_data.name"
        " product_data.metadata product_data.active product_data.tax_code",
    ),
    Route(
        "GET",
        "/v1/prices",
        p.PriceListParams,
        products.list_prices,
        f"{PAGING} active currency product type lookup_keys",
    ),
    Route("GET", "/v1/prices/{id}", p.PriceRetrieveParams, retrieve("price")),
    Route(
        "POST",
        "/v1/prices/{id}",
        p.PriceUpdateParams,
        products.update_price,
        "active nickname tax_behavior metadata lookup_key transfer_lookup_key",
    ),
    Route(
        "POST",
        "/v1/tax_rates",
        p.TaxRateCreateParams,
        products.create_tax_rate,
        "active country description display_name inclusive jurisdiction metadata percentage state tax_type",
    ),
    Route(
        "GET",
        "/v1/tax_rates",
        p.TaxRateListParams,
        listing("tax_rate", "active", "inclusive"),
        f"{PAGING} active inclusive",
    ),
    Route("GET", "/v1/tax_rates/{id}", p.TaxRateRetrieveParams, retrieve("tax_rate")),
    Route(
        "POST",
        "/v1/tax_rates/{id}",
        p.TaxRateUpdateParams,
        products.update_tax_rate,
        "active country description display_name jurisdiction metadata state tax_type",
    ),
)

_INVOICE = (
    "auto_advance collection_method default_payment_method default_tax_rates description footer metadata"
    " statement_descriptor"
)

INVOICES = (
    Route(
        "POST",
        "/v1/invoiceitems",
        p.InvoiceItemCreateParams,
        invoice_items.create,
        "amount currency customer description discountable invoice metadata period price_data pricing quantity tax_rates",
    ),
    Route(
        "GET",
        "/v1/invoiceitems",
        p.InvoiceItemListParams,
        invoice_items.list_items,
        f"{PAGING_UNDATED} customer invoice pending",
    ),
    Route("GET", "/v1/invoiceitems/{id}", p.InvoiceItemRetrieveParams, retrieve("invoiceitem")),
    Route("DELETE", "/v1/invoiceitems/{id}", p.InvoiceItemDeleteParams, invoice_items.delete),
    Route(
        "POST",
        "/v1/invoices",
        p.InvoiceCreateParams,
        invoices.create,
        f"{_INVOICE} currency customer pending_invoice_items_behavior",
    ),
    Route(
        "GET",
        "/v1/invoices",
        p.InvoiceListParams,
        listing("invoice", "customer", "status", "collection_method"),
        f"{PAGING} customer status collection_method",
    ),
    Route("GET", "/v1/invoices/{id}", p.InvoiceRetrieveParams, retrieve("invoice")),
    Route("POST", "/v1/invoices/{id}", p.InvoiceUpdateParams, invoices.update, _INVOICE),
    Route("DELETE", "/v1/invoices/{id}", p.InvoiceDeleteParams, invoices.delete),
    Route("GET", "/v1/invoices/{id}/lines", p.InvoiceLineItemListParams, invoices.list_lines, "limit"),
    Route(
        "POST",
        "/v1/invoices/{id}/finalize",
        p.InvoiceFinalizeInvoiceParams,
        invoices.finalize_call,
        "auto_advance",
    ),
    Route(
        "POST",
        "/v1/invoices/{id}/pay",
        p.InvoicePayParams,
        invoice_payment.pay_call,
        "payment_method off_session paid_out_of_band",
    ),
    Route("POST", "/v1/invoices/{id}/void", p.InvoiceVoidInvoiceParams, invoice_payment.void),
    Route(
        "GET",
        "/v1/invoice_payments",
        p.InvoicePaymentListParams,
        listing("invoice_payment", "invoice", "status", "payment"),
        f"{PAGING} invoice status payment.type payment.payment_intent",
    ),
    Route("GET", "/v1/invoice_payments/{id}", p.InvoicePaymentRetrieveParams, retrieve("invoice_payment")),
)
