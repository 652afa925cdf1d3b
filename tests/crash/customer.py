"""One customer of an environment: what they do, and what is there of theirs."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import httpx

from app.jobs.time_travel import load_offset
from tests.crash.environment import Environment
from tests.support import operations
from tests.support.accounts import new_network, new_person, texted_codes
from tests.support.running_backend import Person

_ORDERS: Final = {
    "analytics": {"packCode": "starter"},
    "compute": {"amount": "10.00"},
    "messaging": {"packCode": "small"},
}

# the lists of the provider that tests look into
_LISTS: Final = ("/v1/charges", "/v1/checkout/sessions", "/v1/customers", "/v1/invoices")

Step: TypeAlias = "Callable[[Customer], Coroutine[None, None, None]]"


@dataclass(slots=True)
class Customer:
    """Someone signed in, with a workspace that nobody used before.

    `newest` is what came last in each list of the provider before them. All that comes after it is taken for theirs, so that
    nothing can be done for somebody else unseen. `guest` is somebody who is invited to their organization: the token of a session
    of theirs, and that of the link. `host_key` is the key of the host product's servers.
    """

    environment: Environment
    person: Person
    newest: Mapping[str, str | None]
    guest: tuple[str, str] | None = None
    host_key: str | None = None
    _cards: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def catalog(self) -> str:
        """What is sold to them."""
        return self.environment.catalog

    async def attempt(self, act: Step) -> None:
        """Do something as a client whose connection may break at any time."""
        try:
            await act(self)
        except httpx.TransportError:
            return

    async def ask(self, document: str, variables: Mapping[str, object]) -> dict[str, Any]:
        """The data of an operation."""
        return await self.environment.api.query(document, variables, token=self.person.token)

    async def recharge(self, key: str, **more: object) -> dict[str, Any]:
        """The payload of `rechargeCredits` for a pack, or for 10.00 where there are none, and what `more` says."""
        given = {"workspaceId": self.person.workspace, "idempotencyKey": key, **_ORDERS[self.catalog], **more}
        return (await self.ask(operations.RECHARGE, {"input": given}))["rechargeCredits"]

    async def begin_card(self) -> str:
        """The client secret with which a browser saves a card."""
        given = {"input": {"workspaceId": self.person.workspace}}
        begun = (await self.ask(operations.ADD_CARD, given))["addPaymentMethod"]
        assert begun["userErrors"] == []
        return begun["clientSecret"]

    async def confirm_card(self, client_secret: str, card: str) -> None:
        """Hand a test card to the provider, as Stripe.js does."""
        await self.environment.sandbox.confirm_setup(client_secret, card, "pk_test_sandbox")

    async def cards(self) -> list[dict[str, Any]]:
        """The cards that the product shows."""
        return (await self.ask(operations.CARDS, {"id": self.person.workspace}))["workspace"]["paymentMethods"]

    async def card_that_ends_in(self, last4: str) -> str:
        """The product's id of a card."""
        if last4 not in self._cards:
            self._cards = {card["last4"]: card["id"] for card in await self.cards()}
        return self._cards[last4]

    async def verify_phone(self) -> None:
        """Verify a phone for the workspace."""
        number = f"+316{10_000_000 + secrets.randbelow(40_000_000)}"
        given: dict[str, object] = {"workspaceId": self.person.workspace, "phoneNumber": number}
        await self.ask(operations.SEND_PHONE_VERIFICATION, {"input": given})
        given["code"] = (await texted_codes(self.environment.database, number))[0]
        verified = await self.ask(operations.VERIFY_PHONE, {"input": given})
        assert verified["verifyPhone"]["userErrors"] == []

    async def rows(self, columns: str, table: str, more: str = "") -> list[dict[str, Any]]:
        """The columns of the workspace's rows of a table, and what `more` says of which and how."""
        statement = f"SELECT {columns} FROM {table} WHERE workspace_id = $1 {more}"
        return await self.environment.rows(statement, self.person.workspace_id)

    async def listed(self, path: str) -> list[dict[str, Any]]:
        """What came into a list of the provider's account since there is this customer, whomever it is for; the newest first."""
        newest = self.newest[path]
        return await self.environment.sandbox.listed(path, **({"ending_before": newest} if newest else {}))

    async def has_unsettled_purchase(self) -> bool:
        """Whether there is a purchase whose end a client who asks again waits for."""
        more = "AND status = 'PENDING' AND checkout_url IS NULL"
        return bool(await self.rows("id", "credit_purchases", more))

    async def waits(self) -> bool:
        """Whether something was left of which a client who asks again hears once it is settled, as time passes."""
        return (
            await self.has_unsettled_purchase()
            or bool(await self.rows("id", "subscription_changes", "AND state IN ('UNDER_WAY', 'UNDOING')"))
            or bool(await self.rows("id", "subscription_checkouts", "AND state = 'OPENING'"))
        )


async def new_customer(environment: Environment) -> Customer:
    """Someone new, to whom everything that happens from now on belongs; the environment is at rest."""
    # sessions are opened at the product's time, which crashes before this one may have moved forward
    await load_offset(environment.database)
    made = await new_person(environment.database)
    person = Person("", made.token, made.user.id, made.user.personal_workspace_id)
    environment.api.http.headers["x-forwarded-for"] = new_network()
    newest = await asyncio.gather(*(environment.sandbox.newest(path) for path in _LISTS))
    return Customer(environment, person, dict(zip(_LISTS, newest, strict=True)))
