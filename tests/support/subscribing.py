"""Subscribing as a customer does: by the API, and on the provider's pages."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from app.store import billing_accounts as billing_account_store
from app.store import subscriptions as subscription_store
from tests.support.client import eventually
from tests.support.operations import ERRORS
from tests.support.running_backend import Person, RunningBackend

_SUBSCRIPTION = """id plan { code } status interval seats { total used available } addOns { addOn { code } quantity }
  currentPeriod { start end } renewsAt trialEndsAt graceEndsAt cancelAtPeriodEnd recurringPrice { amount } version
  pendingChange { kind plan { code } interval seats addOns { quantity } effectiveAt expiresAt invoice { id status } }"""

SUBSCRIPTION = f"query ($id: ID!) {{ workspace(id: $id) {{ subscription {{ {_SUBSCRIPTION} }} }} }}"
CREATE_CHECKOUT = f"mutation ($input: CreateCheckoutInput!) {{ createCheckout(input: $input) {{ url {ERRORS} }} }}"
CHANGE_PLAN = f"""mutation ($input: ChangePlanInput!) {{
  changePlan(input: $input) {{ subscription {{ {_SUBSCRIPTION} }} {ERRORS} }} }}"""
CHANGE_SEATS = f"""mutation ($input: ChangeSeatsInput!) {{
  changeSeats(input: $input) {{ subscription {{ {_SUBSCRIPTION} }} {ERRORS} }} }}"""
SET_ADD_ON_QUANTITY = f"""mutation ($input: SetAddOnQuantityInput!) {{
  setAddOnQuantity(input: $input) {{ subscription {{ {_SUBSCRIPTION} }} {ERRORS} }} }}"""
CANCEL = f"""mutation ($input: CancelSubscriptionInput!) {{
  cancelSubscription(input: $input) {{ subscription {{ {_SUBSCRIPTION} }} {ERRORS} }} }}"""
KEEP = f"""mutation ($input: KeepSubscriptionInput!) {{
  keepSubscription(input: $input) {{ subscription {{ {_SUBSCRIPTION} }} {ERRORS} }} }}"""

CONTACT_SALES = (
    f"""mutation ($input: ContactSalesInput!) {{ contactSales(input: $input) {{ schedulingUrl {ERRORS} }} }}"""
)
_SET_DEFAULT = "mutation ($input: IdInput!) { setDefaultPaymentMethod(input: $input) { userErrors { code } } }"


async def subscription(backend: RunningBackend, person: Person) -> dict[str, Any]:
    """The subscription as it stands."""
    data = await backend.api.query(SUBSCRIPTION, {"id": person.workspace}, token=person.token)
    return data["workspace"]["subscription"]


async def open_page(backend: RunningBackend, person: Person, plan: str, **more: object) -> dict[str, Any]:
    """The payload of `createCheckout` for a plan, monthly unless `more` says otherwise."""
    given = {"workspaceId": person.workspace, "planCode": plan, "interval": "MONTH", "idempotencyKey": uuid4().hex}
    data = await backend.api.query(CREATE_CHECKOUT, {"input": {**given, **more}}, token=person.token)
    return data["createCheckout"]


async def pay_page(backend: RunningBackend, url: str, card: str = "pm_card_visa") -> int:
    """Pay on a page as a buyer does, with an address; the status of the answer."""
    form = {"card": card, "name": "Ada Example", "line1": "Damrak 1", "city": "Amsterdam"}
    form |= {"postal_code": "1012 LG", "country": "NL"}
    return (await backend.api.http.post(url, data=form, follow_redirects=False)).status_code


async def subscribe(
    backend: RunningBackend, person: Person, plan: str, *, card: str = "pm_card_visa", **more: object
) -> dict[str, Any]:
    """Begin with a plan, and wait until it is there and its card is the default; the subscription then."""
    opened = await open_page(backend, person, plan, **more)
    assert opened["userErrors"] == []
    assert await pay_page(backend, opened["url"], card) == 303

    async def has_begun() -> dict[str, Any] | None:
        found = await subscription(backend, person)
        return found if found["plan"]["code"] == plan and await backend.cards(person) else None

    found = await eventually(has_begun)
    assert found is not None
    return found


async def change_plan(backend: RunningBackend, person: Person, plan: str, **more: object) -> dict[str, Any]:
    """The payload of `changePlan`."""
    given = {"workspaceId": person.workspace, "planCode": plan, "idempotencyKey": uuid4().hex, **more}
    return (await backend.api.query(CHANGE_PLAN, {"input": given}, token=person.token))["changePlan"]


async def change_seats(backend: RunningBackend, person: Person, seats: int, **more: object) -> dict[str, Any]:
    """The payload of `changeSeats`."""
    given = {"workspaceId": person.workspace, "seats": seats, "idempotencyKey": uuid4().hex, **more}
    return (await backend.api.query(CHANGE_SEATS, {"input": given}, token=person.token))["changeSeats"]


async def set_phone_numbers(
    backend: RunningBackend, person: Person, quantity: int, *, token: str | None = None, **more: object
) -> dict[str, Any]:
    """The payload of `setAddOnQuantity` for phone numbers, asked by the person, or by whoever has another token."""
    given = {"workspaceId": person.workspace, "addOnCode": "phone-numbers", "quantity": quantity}
    given |= {"idempotencyKey": uuid4().hex, **more}
    data = await backend.api.query(SET_ADD_ON_QUANTITY, {"input": given}, token=token or person.token)
    return data["setAddOnQuantity"]


def phone_numbers(subscription: dict[str, Any]) -> int:
    """How many phone numbers a subscription has."""
    return sum(each["quantity"] for each in subscription["addOns"] if each["addOn"]["code"] == "phone-numbers")


async def cancel(backend: RunningBackend, person: Person, **more: object) -> dict[str, Any]:
    """The payload of `cancelSubscription`."""
    given = {"workspaceId": person.workspace, **more}
    return (await backend.api.query(CANCEL, {"input": given}, token=person.token))["cancelSubscription"]


async def keep(backend: RunningBackend, person: Person) -> dict[str, Any]:
    """The payload of `keepSubscription`."""
    given = {"workspaceId": person.workspace}
    return (await backend.api.query(KEEP, {"input": given}, token=person.token))["keepSubscription"]


async def customer_of(backend: RunningBackend, person: Person) -> str:
    """Stripe's id of the person's customer, which there is."""
    async with backend.database.read() as session:
        account = await billing_account_store.find(session, person.workspace_id)
    assert account is not None
    assert account.customer_id is not None
    return account.customer_id


async def stripe_subscriptions(backend: RunningBackend, person: Person) -> list[dict[str, Any]]:
    """What Stripe has of the person's subscriptions, ended ones too, the newest first."""
    customer = await customer_of(backend, person)
    return await backend.sandbox.listed("/v1/subscriptions", customer=customer, status="all")


async def stripe_invoices(backend: RunningBackend, person: Person) -> list[dict[str, Any]]:
    """What Stripe has billed the person's workspace, the newest first."""
    return await backend.sandbox.listed("/v1/invoices", customer=await customer_of(backend, person))


async def provider_id(backend: RunningBackend, person: Person) -> str:
    """Stripe's id of the live subscription, which there is."""
    async with backend.database.read() as session:
        row = await subscription_store.find(session, person.workspace_id)
    assert row is not None
    assert row.provider_id is not None
    return row.provider_id


async def charge_to(backend: RunningBackend, person: Person, card: str) -> None:
    """Make a new card the default, and wait until the subscription is charged to it."""
    added = await backend.add_card(person, card)
    await backend.api.query(_SET_DEFAULT, {"input": {"id": added}}, token=person.token)

    async def is_charged_to_it() -> bool:
        stripe = await backend.sandbox.fetched(f"/v1/subscriptions/{await provider_id(backend, person)}")
        methods = await backend.sandbox.listed(f"/v1/customers/{stripe['customer']}/payment_methods")
        return stripe["default_payment_method"] == methods[0]["id"]

    await eventually(is_charged_to_it)


async def confirm_payment(backend: RunningBackend, invoice_id: str) -> None:
    """Answer the bank that asks for the payment of an invoice (Stripe's id), as its cardholder."""
    payments = await backend.sandbox.listed("/v1/invoice_payments", invoice=invoice_id)
    intent = await backend.sandbox.fetched(f"/v1/payment_intents/{payments[0]['payment']['payment_intent']}")
    await backend.sandbox.answer_the_bank(intent["next_action"]["redirect_to_url"]["url"], "complete")


def codes(payload: dict[str, Any]) -> list[str]:
    """The codes of a payload's `userErrors`."""
    return [error["code"] for error in payload["userErrors"]]


def paid_minor(charges: list[dict[str, Any]]) -> list[int]:
    """What charges took, the oldest first, in the currency's smallest unit."""
    return [charge["amount"] for charge in reversed(charges)]
