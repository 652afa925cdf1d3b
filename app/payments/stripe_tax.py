"""What decides about a customer's tax in Stripe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import stripe

from app.payments.billing_detail_values import Address, BillingDetails, TaxExemption, TaxId, TaxIdStatus
from app.payments.gateway_errors import GatewayMissing, GatewayRefused, InvalidTaxId, MissingObject
from app.payments.stripe_calls import PAGE, StripeCalls, keyed


class StripeTax(StripeCalls):
    """Addresses, exemption and tax ids."""

    async def billing_details(self, customer_id: str) -> BillingDetails:
        customer = await self.step("retrieve_customer", lambda: self.stripe.customers.retrieve_async(customer_id))
        if getattr(customer, "deleted", False):
            raise GatewayMissing(f"customer {customer_id} was deleted", MissingObject.CUSTOMER)
        return BillingDetails(_address(customer.address), TaxExemption((customer.tax_exempt or "none").upper()))

    async def set_address(self, customer_id: str, address: Address | None) -> None:
        # Without a key: each write says everything. An empty text unsets the address, but is refused for a part of it.
        parts = {name: part for name, part in asdict(address).items() if part} if address is not None else ""
        params: Any = {"address": parts}
        await self.step("set_address", lambda: self.stripe.customers.update_async(customer_id, params))

    async def set_exemption(self, customer_id: str, exemption: TaxExemption) -> None:
        params: Any = {"tax_exempt": exemption.lower()}
        await self.step("set_exemption", lambda: self.stripe.customers.update_async(customer_id, params))

    async def tax_ids(self, customer_id: str) -> Sequence[TaxId]:
        page = await self.step(
            "list_tax_ids", lambda: self.stripe.customers.tax_ids.list_async(customer_id, {"limit": PAGE})
        )
        return [_tax_id(tax_id) async for tax_id in page.auto_paging_iter()][::-1]

    async def create_tax_id(self, customer_id: str, *, kind: str, value: str, key: str) -> TaxId:
        params: Any = {"type": kind, "value": value}
        try:
            made = await self.step(
                "create_tax_id", lambda: self.stripe.customers.tax_ids.create_async(customer_id, params, keyed(key))
            )
        except GatewayRefused as refused:
            cause = refused.__cause__
            if isinstance(cause, stripe.InvalidRequestError) and cause.code == "tax_id_invalid":
                raise InvalidTaxId(cause.user_message or str(cause)) from cause
            raise
        return _tax_id(made)

    async def delete_tax_id(self, customer_id: str, tax_id: str) -> None:
        try:
            await self.step("delete_tax_id", lambda: self.stripe.customers.tax_ids.delete_async(customer_id, tax_id))
        except GatewayMissing:
            return


def _address(address: stripe.Customer.Address | None) -> Address | None:
    if address is None or not address.country:
        return None
    return Address(
        country=address.country,
        line1=address.line1 or "",
        line2=address.line2 or "",
        postal_code=address.postal_code or "",
        city=address.city or "",
        state=address.state or "",
    )


def _tax_id(tax_id: stripe.TaxId) -> TaxId:
    verification = tax_id.verification
    return TaxId(
        id=tax_id.id,
        kind=tax_id.type,
        value=tax_id.value,
        country=tax_id.country,
        # kinds that nobody verifies have no verification
        status=TaxIdStatus(verification.status.upper()) if verification is not None else TaxIdStatus.UNAVAILABLE,
        verified_name=verification.verified_name if verification is not None else None,
        created_at=datetime.fromtimestamp(tax_id.created, UTC),
    )
