"""Routes of coupons."""

from __future__ import annotations

from stripe import params as p

from sandbox.calls import Route
from sandbox.resources.discounts import coupons
from sandbox.shared_handlers import PAGING_AND_CREATED, list_by, retrieve_by_id

ROUTES = (
    Route(
        "POST",
        "/v1/coupons",
        p.CouponCreateParams,
        coupons.create,
        "amount_off currency duration duration_in_months id metadata name percent_off",
    ),
    Route("GET", "/v1/coupons", p.CouponListParams, list_by("coupon"), PAGING_AND_CREATED),
    Route("GET", "/v1/coupons/{id}", p.CouponRetrieveParams, retrieve_by_id("coupon")),
    Route("DELETE", "/v1/coupons/{id}", p.CouponDeleteParams, coupons.delete),
)
