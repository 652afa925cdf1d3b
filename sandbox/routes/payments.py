"""Routes of payment intents and setup intents, charges, refunds and disputes."""

from __future__ import annotations

from stripe import params as p

from sandbox.calls import Route
from sandbox.resources.payments import disputes, payment_intents, refunds, setup_intents
from sandbox.shared_handlers import PAGING_AND_CREATED, list_by, retrieve_by_id

ROUTES = (
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
        list_by("setup_intent", "customer", "payment_method"),
        f"{PAGING_AND_CREATED} customer payment_method",
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
        list_by("payment_intent", "customer"),
        f"{PAGING_AND_CREATED} customer",
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
        list_by("charge", "customer", "payment_intent"),
        f"{PAGING_AND_CREATED} customer payment_intent",
    ),
    Route("GET", "/v1/charges/{id}", p.ChargeRetrieveParams, retrieve_by_id("charge")),
    Route("POST", "/v1/refunds", p.RefundCreateParams, refunds.create, "amount charge metadata payment_intent reason"),
    Route(
        "GET",
        "/v1/refunds",
        p.RefundListParams,
        list_by("refund", "charge", "payment_intent"),
        f"{PAGING_AND_CREATED} charge payment_intent",
    ),
    Route("GET", "/v1/refunds/{id}", p.RefundRetrieveParams, retrieve_by_id("refund")),
    Route("POST", "/v1/refunds/{id}", p.RefundUpdateParams, refunds.update, "metadata"),
    Route(
        "GET",
        "/v1/disputes",
        p.DisputeListParams,
        list_by("dispute", "charge", "payment_intent"),
        f"{PAGING_AND_CREATED} charge payment_intent",
    ),
    Route("GET", "/v1/disputes/{id}", p.DisputeRetrieveParams, retrieve_by_id("dispute")),
    Route("POST", "/v1/disputes/{id}/close", p.DisputeCloseParams, disputes.close),
)
