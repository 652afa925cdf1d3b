"""What may happen between a customer and the provider, step by step, with the events it leaves behind and where it must end."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeAlias

import httpx
import orjson
from sqlalchemy import text

from app.payments.stripe_event_types import EVENT_TYPES
from app.store import billing_accounts as billing_account_store
from tests.support import operations
from tests.support.running_backend import Person, RunningBackend

GOOD, FAILING, ASKING = "pm_card_visa", "pm_card_chargeCustomerFail", "pm_card_authenticationRequired"

# How often the gateway sends a request whose answer is lost.
_TRIES: Final = 2

_PURCHASES: Final = text(
    "SELECT status, failure, decline_code, credits, total_minor, charged_at IS NOT NULL AS charged, next_look_at IS NOT NULL AS due"
    " FROM credit_purchases WHERE workspace_id = :workspace_id ORDER BY id"
)
_MOVEMENTS: Final = text(
    "SELECT kind, amount, balance_after, purchase_id IS NOT NULL AS bought"
    " FROM ledger_transactions WHERE workspace_id = :workspace_id ORDER BY sequence"
)
_INVOICES: Final = text(
    "SELECT status, total_minor, tax_minor, amount_due_minor, amount_paid_minor, number IS NOT NULL AS numbered"
    " FROM invoices WHERE workspace_id = :workspace_id ORDER BY id"
)
_CARDS: Final = text("SELECT last4, is_default FROM cards WHERE workspace_id = :workspace_id ORDER BY last4")

Event: TypeAlias = dict[str, Any]


@dataclass(slots=True)
class Customer:
    """Somebody new, and the provider's events about them that nobody has been told of."""

    backend: RunningBackend
    person: Person
    since: datetime
    _seen: set[str] = field(default_factory=set[str])
    _cards: list[str] = field(default_factory=list[str])

    async def save_card(self, card: str) -> None:
        """Save a test card as a browser does."""
        given = {"input": {"workspaceId": self.person.workspace}}
        begun = (await self.backend.api.query(operations.ADD_CARD, given, token=self.person.token))["addPaymentMethod"]
        await self.backend.sandbox.confirm_setup(begun["clientSecret"], card, "pk_test_sandbox")
        self._cards = [each["id"] for each in await self._at_provider("/v1/payment_methods", type="card")]

    async def recharge_unanswered(self) -> None:
        """Recharge while the answer to the payment is lost, so that only an event or a look can tell what became of it."""
        await self.backend.sandbox.fail("drop_after", "/v1/invoices/.*/pay", times=_TRIES)
        payload = await self.backend.recharge(self.person)
        assert payload["purchase"] is not None, payload

    async def recharge_asking(self) -> None:
        """Recharge with a card whose bank asks the holder."""
        payload = await self.backend.recharge(self.person)
        assert [error["code"] for error in payload["userErrors"]] == ["PAYMENT_ACTION_REQUIRED"]

    async def answer_the_bank(self, outcome: str) -> None:
        """What the holder says when asked: `complete` or `fail`."""
        [intent] = await self._at_provider("/v1/payment_intents")
        await self.backend.sandbox.answer_the_bank(intent["next_action"]["redirect_to_url"]["url"], outcome)

    async def make_default(self, place: int) -> None:
        """Charge by default, says the provider's own page, the card saved last but `place`."""
        await self.backend.sandbox.post(
            f"/v1/customers/{await self.customer_id()}",
            **{"invoice_settings[default_payment_method]": self._cards[place]},
        )

    async def detach(self, place: int) -> None:
        """Forget, on the provider's own page, the card saved last but `place`."""
        await self.backend.sandbox.post(f"/v1/payment_methods/{self._cards[place]}/detach")

    async def customer_id(self) -> str:
        """The provider's id of the customer."""
        async with self.backend.database.read() as session:
            account = await billing_account_store.find(session, self.person.workspace_id)
        assert account is not None
        assert account.customer_id is not None
        return account.customer_id

    async def news(self) -> list[Event]:
        """What has happened since the last look, as the provider would report it, the oldest first."""
        ours = {await self.customer_id(), *self._cards}
        events = await self.backend.sandbox.listed("/v1/events", **{"created[gte]": str(int(self.since.timestamp()))})
        fresh = [
            event
            for event in reversed(events)
            if event["type"] in EVENT_TYPES and event["id"] not in self._seen and _is_about(event, ours)
        ]
        self._seen |= {event["id"] for event in fresh}
        return fresh

    async def ending(self) -> dict[str, Any]:
        """Everything that must be the same however the events came: here, and at the provider."""
        of_workspace = {"workspace_id": self.person.workspace_id}
        tables = {"purchases": _PURCHASES, "movements": _MOVEMENTS, "invoices": _INVOICES, "cards": _CARDS}
        async with self.backend.database.read() as session:
            found = {
                name: [tuple(row) for row in await session.execute(query, of_workspace)]
                for name, query in tables.items()
            }
        return {
            **found,
            "balance": (await self.backend.balance(self.person))["available"],
            "charged": [charge["amount"] for charge in await self.backend.charges(self.person)],
            "billed": [invoice["status"] for invoice in await self.backend.stripe_invoices(self.person)],
        }

    async def _at_provider(self, path: str, **parameters: str) -> list[dict[str, Any]]:
        return await self.backend.sandbox.listed(path, customer=await self.customer_id(), **parameters)


def _is_about(event: Event, ours: set[str]) -> bool:
    about = event["data"]["object"]
    return about.get("customer") in ours or about["id"] in ours


async def somebody(backend: RunningBackend) -> Customer:
    """Somebody new, with a verified phone where the catalog asks for one."""
    return Customer(backend, await backend.sign_up(), await backend.sandbox.now())


async def report(backend: RunningBackend, event: Event) -> httpx.Response:
    """Deliver an event as the provider does, properly signed."""
    payload = orjson.dumps(event)
    [secret] = backend.parts.event_secrets
    return await deliver(backend, payload, signature(payload, secret))


async def deliver(backend: RunningBackend, payload: bytes, signed: str) -> httpx.Response:
    """Post a body to the webhook with this signature."""
    headers = {"stripe-signature": signed}
    return await backend.api.http.post(f"{backend.api.url}/stripe/webhook", content=payload, headers=headers)


def signature(payload: bytes, secret: str, *, age_seconds: int = 0) -> str:
    """The header that proves a payload to come from who has the secret."""
    at = int(time.time()) - age_seconds
    digest = hmac.new(secret.encode(), f"{at}.".encode() + payload, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


Step: TypeAlias = Callable[[Customer], Coroutine[None, None, None]]


@dataclass(frozen=True, slots=True)
class Story:
    """Steps in the order in which they happen; `buys` tells whether there is a purchase among them."""

    name: str
    steps: tuple[Step, ...]
    buys: bool = True


STORIES: Final = (
    Story("recharge", (lambda one: one.save_card(GOOD), lambda one: one.recharge_unanswered())),
    Story("declined recharge", (lambda one: one.save_card(FAILING), lambda one: one.recharge_unanswered())),
    Story(
        "recharge that the holder confirms",
        (
            lambda one: one.save_card(ASKING),
            lambda one: one.recharge_asking(),
            lambda one: one.answer_the_bank("complete"),
        ),
    ),
    Story(
        "recharge that the holder refuses",
        (lambda one: one.save_card(ASKING), lambda one: one.recharge_asking(), lambda one: one.answer_the_bank("fail")),
    ),
    Story(
        "cards",
        (
            lambda one: one.save_card(GOOD),
            lambda one: one.save_card(FAILING),
            lambda one: one.make_default(0),
            lambda one: one.detach(1),
        ),
        buys=False,
    ),
)
