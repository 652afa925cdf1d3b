"""Routes of products and prices."""

from __future__ import annotations

from stripe import params as p

from sandbox.calls import Route
from sandbox.resources.products import prices, products
from sandbox.shared_handlers import PAGING_AND_CREATED, retrieve_by_id

_PRODUCT = "active default_price description metadata name statement_descriptor tax_code unit_label"
_PRICE_DATA = "currency metadata nickname recurring tax_behavior unit_amount unit_amount_decimal"

ROUTES = (
    Route(
        "POST",
        "/v1/products",
        p.ProductCreateParams,
        products.create,
        "id active description metadata name statement_descriptor tax_code unit_label",
    ),
    Route("GET", "/v1/products", p.ProductListParams, products.list_products, f"{PAGING_AND_CREATED} active ids"),
    Route("GET", "/v1/products/{id}", p.ProductRetrieveParams, retrieve_by_id("product")),
    Route("POST", "/v1/products/{id}", p.ProductUpdateParams, products.update, _PRODUCT),
    Route("DELETE", "/v1/products/{id}", p.ProductDeleteParams, products.delete),
    Route(
        "POST",
        "/v1/prices",
        p.PriceCreateParams,
        prices.create,
        f"{_PRICE_DATA} active lookup_key transfer_lookup_key product product_data.id product_data.name"
        " product_data.metadata product_data.active product_data.tax_code",
    ),
    Route(
        "GET",
        "/v1/prices",
        p.PriceListParams,
        prices.list_prices,
        f"{PAGING_AND_CREATED} active currency product type lookup_keys",
    ),
    Route("GET", "/v1/prices/{id}", p.PriceRetrieveParams, retrieve_by_id("price")),
    Route(
        "POST",
        "/v1/prices/{id}",
        p.PriceUpdateParams,
        prices.update,
        "active nickname tax_behavior metadata lookup_key transfer_lookup_key",
    ),
)
