"""Routes of customers."""

from __future__ import annotations

from stripe import params as p

from sandbox.calls import Route
from sandbox.resources.customers import customers
from sandbox.shared_handlers import PAGING_AND_CREATED, retrieve_by_id

_CUSTOMER = (
    "address balance business_name description email individual_name invoice_settings.default_payment_method metadata"
    " name phone preferred_locales tax_exempt"
)

ROUTES = (
    Route(
        "POST",
        "/v1/customers",
        p.CustomerCreateParams,
        customers.create,
        f"{_CUSTOMER} payment_method tax_id_data",
    ),
    Route("GET", "/v1/customers", p.CustomerListParams, customers.list_customers, f"{PAGING_AND_CREATED} email"),
    Route("GET", "/v1/customers/{id}", p.CustomerRetrieveParams, retrieve_by_id("customer")),
    Route("POST", "/v1/customers/{id}", p.CustomerUpdateParams, customers.update, _CUSTOMER),
    Route("DELETE", "/v1/customers/{id}", p.CustomerDeleteParams, customers.delete),
)
