"""Routes of tax rates and tax ids."""

from __future__ import annotations

from stripe import params as p

from sandbox.calls import Route
from sandbox.resources.tax import tax_ids, tax_rates
from sandbox.shared_handlers import PAGING, PAGING_AND_CREATED, list_by, retrieve_by_id

ROUTES = (
    Route("POST", "/v1/customers/{id}/tax_ids", p.CustomerTaxIdCreateParams, tax_ids.create, "type value"),
    Route("GET", "/v1/customers/{id}/tax_ids", p.CustomerTaxIdListParams, tax_ids.list_tax_ids, PAGING),
    Route("GET", "/v1/customers/{id}/tax_ids/{tax_id}", p.CustomerTaxIdRetrieveParams, tax_ids.retrieve),
    Route("DELETE", "/v1/customers/{id}/tax_ids/{tax_id}", p.CustomerTaxIdDeleteParams, tax_ids.delete),
    Route(
        "POST",
        "/v1/tax_rates",
        p.TaxRateCreateParams,
        tax_rates.create,
        "active country description display_name inclusive jurisdiction metadata percentage state tax_type",
    ),
    Route(
        "GET",
        "/v1/tax_rates",
        p.TaxRateListParams,
        list_by("tax_rate", "active", "inclusive"),
        f"{PAGING_AND_CREATED} active inclusive",
    ),
    Route("GET", "/v1/tax_rates/{id}", p.TaxRateRetrieveParams, retrieve_by_id("tax_rate")),
    Route(
        "POST",
        "/v1/tax_rates/{id}",
        p.TaxRateUpdateParams,
        tax_rates.update,
        "active country description display_name jurisdiction metadata state tax_type",
    ),
)
