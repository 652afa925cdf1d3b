"""The catalog: what is sold, as data. One TOML file, read and checked at start."""

from __future__ import annotations

from app.catalog.catalog_values import (
    AutoRechargeMode,
    AutoRechargeTerms,
    AutoRechargeTrigger,
    Catalog,
    CreditPack,
    CustomRecharge,
    SeatMode,
    TaxMode,
    TaxPolicy,
    TaxRate,
    WelcomeBonusTerms,
)
from app.catalog.cross_checks import MINIMUM_CHARGE
from app.catalog.load_catalog import CatalogError, load_catalog
from app.catalog.plan_terms import PlanTerms, own_terms, plan_from_terms, plan_terms, terms_of, terms_version
from app.catalog.plan_values import (
    AddOn,
    AddOnQuantity,
    Allowance,
    BillingInterval,
    Plan,
    PlanKind,
    PlanPrice,
    PlanTransition,
    Resource,
    SeatPolicy,
    TrialTerms,
)
from app.catalog.stripe_prices import (
    PricePart,
    StripePrice,
    add_on_price,
    pack_price,
    plan_prices,
    stripe_prices,
    terms_prices,
)

__all__ = [
    "MINIMUM_CHARGE",
    "AddOn",
    "AddOnQuantity",
    "Allowance",
    "AutoRechargeMode",
    "AutoRechargeTerms",
    "AutoRechargeTrigger",
    "BillingInterval",
    "Catalog",
    "CatalogError",
    "CreditPack",
    "CustomRecharge",
    "Plan",
    "PlanKind",
    "PlanPrice",
    "PlanTerms",
    "PlanTransition",
    "PricePart",
    "Resource",
    "SeatMode",
    "SeatPolicy",
    "StripePrice",
    "TaxMode",
    "TaxPolicy",
    "TaxRate",
    "TrialTerms",
    "WelcomeBonusTerms",
    "add_on_price",
    "load_catalog",
    "own_terms",
    "pack_price",
    "plan_from_terms",
    "plan_prices",
    "plan_terms",
    "stripe_prices",
    "terms_of",
    "terms_prices",
    "terms_version",
]
