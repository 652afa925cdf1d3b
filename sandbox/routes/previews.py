"""The route of previews, which stands before those of invoices: its path would be an invoice's otherwise."""

from __future__ import annotations

from stripe import params as p

from sandbox.calls import Route
from sandbox.resources.previews import previews

_DETAILS = (
    "billing_cycle_anchor billing_mode cancel_at cancel_at_period_end cancel_now default_tax_rates items.deleted items.id"
    " items.metadata items.price items.quantity items.tax_rates proration_behavior proration_date trial_end"
).split()
_PHASES = (
    "billing_cycle_anchor default_payment_method default_tax_rates description duration end_date items.metadata items.price"
    " items.quantity items.tax_rates metadata proration_behavior start_date"
).split()

ROUTES = (
    Route(
        "POST",
        "/v1/invoices/create_preview",
        p.InvoiceCreatePreviewParams,
        previews.create_preview,
        "automatic_tax.enabled currency customer customer_details.address customer_details.tax_exempt"
        " customer_details.tax_ids preview_mode schedule schedule_details.end_behavior"
        " schedule_details.proration_behavior subscription "
        + " ".join(f"subscription_details.{name}" for name in _DETAILS)
        + " "
        + " ".join(f"schedule_details.phases.{name}" for name in _PHASES),
    ),
)
