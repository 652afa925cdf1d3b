"""Everything that changes billing, membership or security is written to the audit log: who, what, before and after, no secrets."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import uuid4

from sqlalchemy import text

from app.accounts.access.permissions import ApiScope
from app.billing.purchases.spend_limits import set_limit
from app.db.tables.workspaces import WorkspaceRow
from app.db.unit_of_work import transact
from app.money import Money
from tests.support import operations
from tests.support.client import eventually
from tests.support.running_backend import Person, RunningBackend

_DEFAULT = "mutation ($id: ID!) { setDefaultPaymentMethod(input: {id: $id}) { userErrors { code } } }"
_REMOVE = "mutation ($id: ID!) { removePaymentMethod(input: {id: $id}) { userErrors { code } } }"
_PAY = "mutation ($input: PayInvoiceInput!) { payInvoice(input: $input) { userErrors { code } } }"
_SESSIONS = "{ viewer { sessions { id isCurrent } } }"
_REVOKE_SESSION = "mutation ($id: ID!) { revokeSession(input: {id: $id}) { userErrors { code } } }"


async def _logged(backend: RunningBackend, owner: Person) -> list[tuple[str, str]]:
    """What was done and by whom, the oldest first, without what made the workspace."""
    return [(node["action"], node["actor"]) for node in await _nodes(backend, owner)]


async def _nodes(backend: RunningBackend, owner: Person) -> list[dict[str, Any]]:
    variables = {"id": owner.workspace, "first": 100}
    data = await backend.api.query(operations.AUDIT_LOG, variables, token=owner.token)
    return data["workspace"]["auditLog"]["nodes"][::-1][1:]


async def _handle(backend: RunningBackend, person: Person) -> str:
    async with backend.database.read() as session:
        return (await session.get_one(WorkspaceRow, person.workspace_id)).handle


async def _detail(backend: RunningBackend, owner: Person, action: str) -> dict[str, Any]:
    """The detail of the one event with this action."""
    [node] = [node for node in await _nodes(backend, owner) if node["action"] == action]
    return json.loads(node["detail"])


async def test_cards_that_are_added_made_the_default_and_removed(backend: RunningBackend) -> None:
    owner = await backend.sign_up()
    me = await _handle(backend, owner)
    await backend.add_card(owner, "pm_card_visa")
    second = await backend.add_card(owner, "pm_card_mastercard")
    await backend.api.query(_DEFAULT, {"id": second}, token=owner.token)
    await backend.api.query(_REMOVE, {"id": second}, token=owner.token)

    assert await _logged(backend, owner) == [
        ("card.requested", me),
        ("card.added", "system"),
        ("card.requested", me),
        ("card.added", "system"),
        ("card.default_requested", me),
        ("card.default_set", "system"),
        ("card.removal_requested", me),
        ("card.removed", "system"),
        ("card.default_set", "system"),
    ]
    [visa, mastercard] = [{"brand": "visa", "last4": "4242"}, {"brand": "mastercard", "last4": "4444"}]
    details = [json.loads(node["detail"]) for node in await _nodes(backend, owner) if node["detail"]]
    assert details == [
        {"before": None, "after": visa},
        {"before": None, "after": mastercard},
        {"before": None, "after": mastercard},
        {"before": visa, "after": mastercard},
        {"before": None, "after": mastercard},
        {"before": mastercard, "after": None},
        {"before": mastercard, "after": visa},
    ]


async def test_a_card_removed_in_stripes_dashboard_is_the_systems_news(backend: RunningBackend) -> None:
    owner = await backend.sign_up()
    await backend.add_card(owner)
    async with backend.database.read() as session:
        card = await session.scalar(
            text("SELECT provider_id FROM cards WHERE workspace_id = :id"), {"id": owner.workspace_id}
        )

    await backend.sandbox.post(f"/v1/payment_methods/{card}/detach")

    async def removed() -> bool:
        return ("card.removed", "system") in await _logged(backend, owner)

    assert await eventually(removed)
    assert "card.removal_requested" not in dict(await _logged(backend, owner))


async def test_a_change_of_cards_is_told_once_however_many_looks_see_it(backend: RunningBackend) -> None:
    owner = await backend.sign_up()
    card = await backend.add_card(owner)

    await asyncio.gather(*(backend.api.send(_REMOVE, {"id": card}, token=owner.token) for _ in range(4)))

    actions = [action for action, _ in await _logged(backend, owner)]
    assert (actions.count("card.added"), actions.count("card.removed")) == (1, 1)


async def test_who_asked_is_told_though_the_provider_can_not_be_reached(backend: RunningBackend) -> None:
    owner = await backend.sign_up()
    card = await backend.add_card(owner)
    await backend.sandbox.fail("error_500", "/v1/payment_methods/.*/detach", times=10)

    answer = await backend.api.query(_REMOVE, {"id": card}, token=owner.token)

    assert [error["code"] for error in answer["removePaymentMethod"]["userErrors"]] == ["PAYMENT_UNAVAILABLE"]
    actions = [action for action, _ in await _logged(backend, owner)]
    assert actions[-1] == "card.removal_requested"


async def test_purchases_of_credits_paid_and_not_paid(backend: RunningBackend) -> None:
    owner = await backend.sign_up()
    await backend.add_card(owner)
    before = len(await _logged(backend, owner))
    key = uuid4().hex
    bought = await backend.recharge(owner, key=key)
    await backend.recharge(owner, key=key)
    declining = await backend.add_card(owner, "pm_card_chargeCustomerFail")
    await backend.recharge(owner, paymentMethodId=declining)

    me = await _handle(backend, owner)
    logged = [each for each in (await _logged(backend, owner))[before:] if each[0].startswith("recharge.")]
    assert logged == [
        ("recharge.requested", me),
        ("recharge.succeeded", "system"),
        ("recharge.requested", me),
        ("recharge.failed", "system"),
    ]
    succeeded = (await _detail(backend, owner, "recharge.succeeded"))["after"]
    assert (succeeded["status"], succeeded["price"]) == ("SUCCEEDED", f"{bought['purchase']['price']['amount']} EUR")
    assert (await _detail(backend, owner, "recharge.failed"))["after"]["status"] == "FAILED"


async def test_a_purchase_by_a_key_is_the_keys(backend: RunningBackend) -> None:
    owner = await backend.sign_up()
    await backend.add_card(owner)
    made = await backend.api_key(owner, ApiScope.BILLING_WRITE, name="CI")

    await backend.recharge(Person(owner.address, made["secret"], owner.user_id, owner.workspace_id))

    assert ("recharge.requested", "api-key:CI") in await _logged(backend, owner)


async def test_a_purchase_given_up_before_it_was_paid(backend: RunningBackend) -> None:
    owner = await backend.sign_up()
    await backend.add_card(owner)
    await backend.sandbox.fail("error_500", "/v1/invoices", times=10)

    payload = await backend.recharge(owner)

    assert [error["code"] for error in payload["userErrors"]] == ["PAYMENT_UNAVAILABLE"]
    assert [action for action, _ in await _logged(backend, owner)][-2:] == ["recharge.requested", "recharge.failed"]


async def test_an_invoice_that_is_paid(backend: RunningBackend) -> None:
    owner = await backend.sign_up()
    await backend.add_card(owner)
    # a customer of the provider's is made with the first card
    async with backend.database.read() as session:
        customer = await session.scalar(
            text("SELECT customer_id FROM billing_accounts WHERE workspace_id = :id"), {"id": owner.workspace_id}
        )
    made = await backend.sandbox.post("/v1/invoices", customer=customer, currency="eur", auto_advance="false")
    line = {"customer": customer, "invoice": made["id"], "amount": "1250", "currency": "eur"}
    await backend.sandbox.post("/v1/invoiceitems", **line)
    await backend.sandbox.post(f"/v1/invoices/{made['id']}/finalize")

    async def listed() -> list[dict[str, Any]]:
        return [each for each in await backend.invoices(owner) if each["status"] == "OPEN"]

    [invoice] = await eventually(listed)
    given = {"invoiceId": invoice["id"], "idempotencyKey": uuid4().hex}
    for _ in range(2):
        await backend.api.query(_PAY, {"input": given}, token=owner.token)

    me = await _handle(backend, owner)
    logged = [each for each in await _logged(backend, owner) if each[0].startswith("invoice.")]
    assert logged == [("invoice.payment_requested", me), ("invoice.paid", "system")]
    assert (await _detail(backend, owner, "invoice.payment_requested"))["after"]["amount"] == "12.50 EUR"
    assert (await _detail(backend, owner, "invoice.paid"))["after"]["number"] == invoice["number"]


async def test_credits_that_an_operators_key_gives_are_told_once(backend: RunningBackend) -> None:
    owner = await backend.sign_up()
    token = await backend.service_key(ApiScope.OPERATOR)
    given = {"workspaceId": owner.workspace, "amount": "25", "source": "ADJUSTMENT", "description": "An apology"}
    given["idempotencyKey"] = uuid4().hex

    for _ in range(2):
        await backend.api.query(operations.GRANT, {"input": given}, token=token)

    assert await _logged(backend, owner) == [("credits.granted", "api-key:a test")]
    after = (await _detail(backend, owner, "credits.granted"))["after"]
    assert (after["amount"], after["source"]) == ("25 tokens", "ADJUSTMENT")


async def test_spending_credits_is_in_their_own_history_and_not_here(backend: RunningBackend) -> None:
    owner = await backend.sign_up()
    await backend.grant(owner, "10")
    before = await _logged(backend, owner)

    await backend.deduct(owner, "1")

    assert await _logged(backend, owner) == before


async def test_a_spend_limit_is_set_by_an_operator(backend: RunningBackend) -> None:
    owner = await backend.sign_up()
    handle = await _handle(backend, owner)

    await transact(
        backend.database,
        lambda session: set_limit(session, backend.parts.runtime.catalog, handle, Money(50_000, "EUR")),
    )

    assert await _logged(backend, owner) == [("spend_limit.set", "operator")]


async def test_a_phone_that_is_verified(backend: RunningBackend) -> None:
    owner = await backend.sign_up()

    await backend.verify_phone(owner)

    assert await _logged(backend, owner) == [("phone.verified", await _handle(backend, owner))]


async def test_a_session_that_is_ended(backend: RunningBackend) -> None:
    owner = await backend.sign_up()
    [session] = (await backend.api.query(_SESSIONS, token=owner.token))["viewer"]["sessions"]

    await backend.api.query(_REVOKE_SESSION, {"id": session["id"]}, token=owner.token)

    async with backend.database.read() as reading:
        logged = await reading.scalars(
            text("SELECT action FROM audit_events WHERE workspace_id = :id ORDER BY id"), {"id": owner.workspace_id}
        )
        assert logged.all()[1:] == ["session.revoked"]


async def test_the_log_holds_no_secret_no_address_and_no_number(backend: RunningBackend) -> None:
    owner = await backend.sign_up()
    await backend.verify_phone(owner)
    await backend.add_card(owner)
    made = await backend.api_key(owner, ApiScope.BILLING_WRITE)
    await backend.recharge(owner)

    async with backend.database.read() as session:
        log = await session.scalar(
            text("SELECT string_agg(e::text, '') FROM audit_events e WHERE workspace_id = :id"),
            {"id": owner.workspace_id},
        )

    for secret in (owner.address, owner.token, made["secret"], made["secret"][10:], "_secret_", "+316", "@"):
        assert secret not in log
