"""What the payment gateway takes and gives about tax ids, addresses, exemption and the portal: plain values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Address:
    """A billing address; `country` is ISO 3166, two letters. An empty text is a part that is not known."""

    country: str
    line1: str = ""
    line2: str = ""
    postal_code: str = ""
    city: str = ""
    state: str = ""


class TaxExemption(StrEnum):
    """Whether a customer pays tax: yes, no, or accounts for it themselves (reverse charge)."""

    NONE = "NONE"
    EXEMPT = "EXEMPT"
    REVERSE = "REVERSE"


@dataclass(frozen=True, slots=True)
class BillingDetails:
    """What of a customer decides about tax."""

    address: Address | None
    exemption: TaxExemption


class TaxIdStatus(StrEnum):
    """What the provider has found out about a tax id. UNAVAILABLE: it can't be checked, or could not be now."""

    PENDING = "PENDING"
    VERIFIED = "VERIFIED"
    UNVERIFIED = "UNVERIFIED"
    UNAVAILABLE = "UNAVAILABLE"


@dataclass(frozen=True, slots=True)
class TaxId:
    """A customer's tax id. `kind` is the provider's word, such as `eu_vat`; `country` is None where the kind does not tell it."""

    id: str
    kind: str
    value: str
    country: str | None
    status: TaxIdStatus
    verified_name: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Portal:
    """A way to open the provider's portal, found again by its key: whether subscriptions can be canceled there."""

    key: str
    name: str
    offers_cancel: bool
