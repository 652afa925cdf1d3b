"""Routes of customers, cards, and the intents that charge or save them."""

from __future__ import annotations

from stripe import params as p

from sandbox.calls import PAGING, PAGING_UNDATED, Route, listing, retrieve
from sandbox.resources.customers import customers
from sandbox.resources.payment_methods import payment_methods
from sandbox.resources.payments import payment_intents, setup_intents

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
    Route("GET", "/v1/customers", p.CustomerListParams, customers.list_customers, f"{PAGING} email"),
    Route("GET", "/v1/customers/{id}", p.CustomerRetrieveParams, retrieve("customer")),
    Route("POST", "/v1/customers/{id}", p.CustomerUpdateParams, customers.update, _CUSTOMER),
    Route("DELETE", "/v1/customers/{id}", p.CustomerDeleteParams, customers.delete),
    Route(
        "GET",
        "/v1/customers/{id}/payment_methods",
        p.CustomerPaymentMethodListParams,
        payment_methods.list_methods,
        f"{PAGING_UNDATED} type",
    ),
    Route(
        "GET",
        "/v1/customers/{id}/payment_methods/{payment_method}",
        p.CustomerPaymentMethodRetrieveParams,
        payment_methods.retrieve_for_customer,
    ),
    Route("POST", "/v1/customers/{id}/tax_ids", p.CustomerTaxIdCreateParams, customers.create_tax_id, "type value"),
    Route("GET", "/v1/customers/{id}/tax_ids", p.CustomerTaxIdListParams, customers.list_tax_ids, PAGING_UNDATED),
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
        f"{PAGING_UNDATED} customer type",
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
        "customer usage description metadata payment_method confirm return_url automatic_payment_methods"
        " allowed_payment_method_types",
    ),
    Route(
        "GET",
        "/v1/setup_intents",
        p.SetupIntentListParams,
        listing("setup_intent", "customer", "payment_method"),
        f"{PAGING} customer payment_method",
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
        "payment_method return_url use_stripe_sdk mandate_data",
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
        " allowed_payment_method_types",
    ),
    Route(
        "GET",
        "/v1/payment_intents",
        p.PaymentIntentListParams,
        listing("payment_intent", "customer"),
        f"{PAGING} customer",
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
        "payment_method off_session return_url setup_future_usage use_stripe_sdk mandate_data",
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
        f"{PAGING} customer payment_intent",
    ),
    Route("GET", "/v1/charges/{id}", p.ChargeRetrieveParams, retrieve("charge")),
)
