"""The table of the API: each call with the SDK's type of its parameters, its handler, and the parameters acted upon."""

from __future__ import annotations

from stripe import params as p

from sandbox.calls import PAGING, Route, listing, retrieve
from sandbox.resources import (
    customers,
    invoice_items,
    invoices,
    payment_intents,
    payment_methods,
    products,
    setup_intents,
    webhook_endpoints,
)

_PAGING = " ".join(sorted(PAGING))
_PAGING_UNDATED = "limit starting_after ending_before"
_CARD_DATA = "payment_method_data.type payment_method_data.card payment_method_data.billing_details"

_CUSTOMER = (
    "address balance business_name description email individual_name invoice_settings.default_payment_method metadata"
    " name phone preferred_locales tax_exempt"
)

CUSTOMERS = (
    Route(
        "POST",
        "/v1/customers",
        p.CustomerCreateParams,
        customers.create,
        f"{_CUSTOMER} payment_method tax_id_data",
    ),
    Route("GET", "/v1/customers", p.CustomerListParams, customers.list_customers, f"{_PAGING} email"),
    Route("GET", "/v1/customers/{id}", p.CustomerRetrieveParams, retrieve("customer")),
    Route("POST", "/v1/customers/{id}", p.CustomerUpdateParams, customers.update, _CUSTOMER),
    Route("DELETE", "/v1/customers/{id}", p.CustomerDeleteParams, customers.delete),
    Route(
        "GET",
        "/v1/customers/{id}/payment_methods",
        p.CustomerPaymentMethodListParams,
        payment_methods.list_methods,
        f"{_PAGING_UNDATED} type",
    ),
    Route(
        "GET",
        "/v1/customers/{id}/payment_methods/{payment_method}",
        p.CustomerPaymentMethodRetrieveParams,
        payment_methods.retrieve_for_customer,
    ),
    Route("POST", "/v1/customers/{id}/tax_ids", p.CustomerTaxIdCreateParams, customers.create_tax_id, "type value"),
    Route("GET", "/v1/customers/{id}/tax_ids", p.CustomerTaxIdListParams, customers.list_tax_ids, _PAGING_UNDATED),
    Route("GET", "/v1/customers/{id}/tax_ids/{tax_id}", p.CustomerTaxIdRetrieveParams, customers.retrieve_tax_id),
    Route("DELETE", "/v1/customers/{id}/tax_ids/{tax_id}", p.CustomerTaxIdDeleteParams, customers.delete_tax_id),
)

CARDS = (
    Route(
        "POST",
        "/v1/payment_methods",
        p.PaymentMethodCreateParams,
        payment_methods.create,
        "type card billing_details metadata allow_redisplay",
        publishable=True,
    ),
    Route(
        "GET",
        "/v1/payment_methods",
        p.PaymentMethodListParams,
        payment_methods.list_methods,
        f"{_PAGING_UNDATED} customer type",
    ),
    Route("GET", "/v1/payment_methods/{id}", p.PaymentMethodRetrieveParams, retrieve("payment_method")),
    Route(
        "POST",
        "/v1/payment_methods/{id}",
        p.PaymentMethodUpdateParams,
        payment_methods.update,
        "metadata billing_details.address billing_details.email billing_details.name billing_details.phone",
    ),
    Route("POST", "/v1/payment_methods/{id}/attach", p.PaymentMethodAttachParams, payment_methods.attach, "customer"),
    Route("POST", "/v1/payment_methods/{id}/detach", p.PaymentMethodDetachParams, payment_methods.detach),
)

INTENTS = (
    Route(
        "POST",
        "/v1/setup_intents",
        p.SetupIntentCreateParams,
        setup_intents.create,
        f"customer usage description metadata payment_method confirm return_url automatic_payment_methods {_CARD_DATA}",
    ),
    Route(
        "GET",
        "/v1/setup_intents",
        p.SetupIntentListParams,
        listing("setup_intent", "customer", "payment_method"),
        f"{_PAGING} customer payment_method",
    ),
    Route(
        "GET",
        "/v1/setup_intents/{id}",
        p.SetupIntentRetrieveParams,
        setup_intents.retrieve,
        "client_secret",
        publishable=True,
    ),
    Route(
        "POST",
        "/v1/setup_intents/{id}/confirm",
        p.SetupIntentConfirmParams,
        setup_intents.confirm,
        f"payment_method return_url use_stripe_sdk mandate_data {_CARD_DATA}",
        publishable=True,
    ),
    Route(
        "POST",
        "/v1/setup_intents/{id}/cancel",
        p.SetupIntentCancelParams,
        setup_intents.cancel,
        "cancellation_reason",
    ),
    Route(
        "POST",
        "/v1/payment_intents",
        p.PaymentIntentCreateParams,
        payment_intents.create,
        "amount currency customer description metadata receipt_email setup_future_usage statement_descriptor"
        " statement_descriptor_suffix payment_method confirm off_session return_url automatic_payment_methods"
        f" {_CARD_DATA}",
    ),
    Route(
        "GET",
        "/v1/payment_intents",
        p.PaymentIntentListParams,
        listing("payment_intent", "customer"),
        f"{_PAGING} customer",
    ),
    Route(
        "GET",
        "/v1/payment_intents/{id}",
        p.PaymentIntentRetrieveParams,
        payment_intents.retrieve,
        "client_secret",
        publishable=True,
    ),
    Route(
        "POST", "/v1/payment_intents/{id}", p.PaymentIntentUpdateParams, payment_intents.update, "metadata description"
    ),
    Route(
        "POST",
        "/v1/payment_intents/{id}/confirm",
        p.PaymentIntentConfirmParams,
        payment_intents.confirm,
        f"payment_method off_session return_url setup_future_usage use_stripe_sdk mandate_data {_CARD_DATA}",
        publishable=True,
    ),
    Route(
        "POST",
        "/v1/payment_intents/{id}/cancel",
        p.PaymentIntentCancelParams,
        payment_intents.cancel,
        "cancellation_reason",
    ),
    Route(
        "GET",
        "/v1/charges",
        p.ChargeListParams,
        listing("charge", "customer", "payment_intent"),
        f"{_PAGING} customer payment_intent",
    ),
    Route("GET", "/v1/charges/{id}", p.ChargeRetrieveParams, retrieve("charge")),
)

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
    Route("GET", "/v1/products", p.ProductListParams, products.list_products, f"{_PAGING} active ids"),
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
        f"{_PAGING} active currency product type lookup_keys",
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
        f"{_PAGING} active inclusive",
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
        f"{_PAGING_UNDATED} customer invoice pending",
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
        f"{_PAGING} customer status collection_method",
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
        invoices.pay_call,
        "payment_method off_session paid_out_of_band",
    ),
    Route("POST", "/v1/invoices/{id}/void", p.InvoiceVoidInvoiceParams, invoices.void),
    Route(
        "GET",
        "/v1/invoice_payments",
        p.InvoicePaymentListParams,
        listing("invoice_payment", "invoice", "status", "payment"),
        f"{_PAGING} invoice status payment.type payment.payment_intent",
    ),
    Route("GET", "/v1/invoice_payments/{id}", p.InvoicePaymentRetrieveParams, retrieve("invoice_payment")),
)

_ENDPOINT = "description enabled_events metadata url"

EVENTS = (
    Route(
        "POST",
        "/v1/webhook_endpoints",
        p.WebhookEndpointCreateParams,
        webhook_endpoints.create,
        f"{_ENDPOINT} api_version",
    ),
    Route("GET", "/v1/webhook_endpoints", p.WebhookEndpointListParams, listing("webhook_endpoint"), _PAGING_UNDATED),
    Route("GET", "/v1/webhook_endpoints/{id}", p.WebhookEndpointRetrieveParams, retrieve("webhook_endpoint")),
    Route(
        "POST",
        "/v1/webhook_endpoints/{id}",
        p.WebhookEndpointUpdateParams,
        webhook_endpoints.update,
        f"{_ENDPOINT} disabled",
    ),
    Route("DELETE", "/v1/webhook_endpoints/{id}", p.WebhookEndpointDeleteParams, webhook_endpoints.delete),
    Route("GET", "/v1/events", p.EventListParams, webhook_endpoints.list_events, f"{_PAGING} type types"),
    Route("GET", "/v1/events/{id}", p.EventRetrieveParams, retrieve("event")),
)

ROUTES = CUSTOMERS + CARDS + INTENTS + CATALOG + INVOICES + EVENTS
