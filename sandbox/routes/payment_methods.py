"""Routes of payment methods."""

from __future__ import annotations

from stripe import params as p

from sandbox.calls import Route
from sandbox.resources.payment_methods import payment_methods
from sandbox.shared_handlers import PAGING, retrieve_by_id

ROUTES = (
    Route(
        "GET",
        "/v1/customers/{id}/payment_methods",
        p.CustomerPaymentMethodListParams,
        payment_methods.list_methods,
        f"{PAGING} type",
    ),
    Route(
        "GET",
        "/v1/customers/{id}/payment_methods/{payment_method}",
        p.CustomerPaymentMethodRetrieveParams,
        payment_methods.retrieve_of_customer,
    ),
    Route(
        "POST",
        "/v1/payment_methods",
        p.PaymentMethodCreateParams,
        payment_methods.create,
        "type card.number card.token card.exp_month card.exp_year card.cvc metadata allow_redisplay"
        " billing_details.address billing_details.email billing_details.name billing_details.phone",
        publishable=True,
    ),
    Route(
        "GET",
        "/v1/payment_methods",
        p.PaymentMethodListParams,
        payment_methods.list_methods,
        f"{PAGING} customer type",
    ),
    Route("GET", "/v1/payment_methods/{id}", p.PaymentMethodRetrieveParams, retrieve_by_id("payment_method")),
    Route(
        "POST",
        "/v1/payment_methods/{id}",
        p.PaymentMethodUpdateParams,
        payment_methods.update,
        "metadata card.exp_month card.exp_year"
        " billing_details.address billing_details.email billing_details.name billing_details.phone",
    ),
    Route("POST", "/v1/payment_methods/{id}/attach", p.PaymentMethodAttachParams, payment_methods.attach, "customer"),
    Route("POST", "/v1/payment_methods/{id}/detach", p.PaymentMethodDetachParams, payment_methods.detach),
)
