"""Refunds that an operator makes: in full, in part, refused in words that help, and never more than was paid."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from app.billing.purchases.refunds_and_disputes import NotRefundable
from app.db.tables.purchases import PurchaseStatus, RefundRow, RefundState
from app.errors import Conflict, InvalidInput, NotFound
from app.flows.flow_context import FlowContext
from app.flows.purchases.refunds import refund_purchase
from app.ids import parse_global_id
from app.main import SANDBOX_SECRET_KEY
from app.payments.gateway_values import ProviderRefund
from app.payments.stripe_gateway import StripeGateway, stripe_gateway
from tests.support.returned_money import Bought, buy, check_ledger, refund
from tests.support.running_backend import RunningBackend
from tests.support.server import run_command


class OutpacedGateway(StripeGateway):
    """A gateway whose refunds reach Stripe after something else did."""

    before_refund: Callable[[], Awaitable[object]]

    async def refund(
        self, payment_id: str, *, amount_minor: int, metadata: Mapping[str, str], key: str
    ) -> ProviderRefund:
        await self.before_refund()
        return await super().refund(payment_id, amount_minor=amount_minor, metadata=metadata, key=key)


def outpaced(bought: Bought, before_refund: Callable[[], Awaitable[object]]) -> FlowContext:
    """A desk whose refunds reach Stripe after `before_refund` did its work."""
    usual = stripe_gateway(SANDBOX_SECRET_KEY, base_url=bought.backend.sandbox.url)
    gateway = OutpacedGateway(usual.stripe, usual.fault)
    gateway.before_refund = before_refund
    return replace(bought.flow_context, gateway=gateway)


async def test_an_operator_refunds_a_purchase_in_full(backend: RunningBackend) -> None:
    bought = await buy(backend)

    made = await refund(bought)

    row = await bought.row()
    assert (made.status, made.amount_minor) == (RefundState.SUCCEEDED, bought.total_minor)
    assert (row.status, row.reclaimed_credits) == (PurchaseStatus.REFUNDED, bought.credits)
    assert await bought.available() == 0
    [sent] = await bought.refunds_at_stripe()
    assert (sent["id"], sent["amount"]) == (made.provider_id, bought.total_minor)
    assert sent["metadata"]["reason"] == "A goodwill gesture"
    assert await bought.audited() == ["purchase.refund_requested", "purchase.refunded"]
    await check_ledger(backend)


async def test_an_operator_refunds_in_parts_until_nothing_is_left(backend: RunningBackend) -> None:
    bought = await buy(backend)

    await refund(bought, "2.50")
    assert (await bought.row()).status == PurchaseStatus.SUCCEEDED
    assert await bought.available() == bought.credits // 2
    await refund(bought, "0.01")
    await refund(bought)

    row = await bought.row()
    assert (row.status, row.refunded_minor, row.reclaimed_credits) == (PurchaseStatus.REFUNDED, 500, bought.credits)
    assert [each.amount_minor for each in await bought.refund_rows()] == [250, 1, 249]
    with pytest.raises(NotRefundable, match="This purchase was refunded in full already"):
        await refund(bought)
    await check_ledger(backend)


@pytest.mark.parametrize("amount", ["5.01", "0", "-1", "1000000"])
async def test_an_amount_beyond_what_is_left_is_refused_and_changes_nothing(
    backend: RunningBackend, amount: str
) -> None:
    bought = await buy(backend)

    with pytest.raises(NotRefundable, match=r"At most 5\.00 EUR"):
        await refund(bought, amount)

    assert await bought.refund_rows() == []
    assert await bought.refunds_at_stripe() == []
    assert await bought.audited() == []
    assert await bought.available() == bought.credits


async def test_an_amount_finer_than_the_currency_is_refused(backend: RunningBackend) -> None:
    bought = await buy(backend)

    with pytest.raises(InvalidInput):
        await refund(bought, "1.005")


async def test_what_was_never_charged_can_not_be_refunded(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await backend.add_card(person, "pm_card_chargeCustomerFail")
    declined = await backend.recharge(person)
    assert declined["purchase"]["status"] == "FAILED"
    bought = await buy(backend)
    failed = parse_global_id(declined["purchase"]["id"]).id
    assert isinstance(failed, UUID)

    with pytest.raises(NotRefundable, match="Nothing was charged"):
        await refund_purchase(bought.flow_context, person.workspace_id, failed, amount=None, reason=None)
    # somebody else's purchase is none of this workspace's
    with pytest.raises(NotFound):
        await refund_purchase(bought.flow_context, person.workspace_id, bought.id, amount=None, reason=None)


async def test_two_operators_at_once_refund_the_same_amount_once(backend: RunningBackend) -> None:
    bought = await buy(backend)

    outcomes = await asyncio.gather(*(refund(bought) for _ in range(5)), return_exceptions=True)

    assert all(isinstance(outcome, RefundRow | NotRefundable) for outcome in outcomes), outcomes
    [sent] = await bought.refunds_at_stripe()
    assert sent["amount"] == bought.total_minor
    row = await bought.reclaimed(bought.credits)
    assert row.status == PurchaseStatus.REFUNDED
    await check_ledger(backend)


async def test_two_operators_at_once_never_refund_more_than_was_paid(backend: RunningBackend) -> None:
    bought = await buy(backend)
    amounts = ["3.00", "3.50", "4.00", "4.50"]

    outcomes = await asyncio.gather(*(refund(bought, each) for each in amounts), return_exceptions=True)

    made = [outcome for outcome in outcomes if isinstance(outcome, RefundRow)]
    refused = [outcome for outcome in outcomes if isinstance(outcome, NotRefundable | Conflict)]
    assert (len(made), len(refused)) == (1, 3), outcomes
    row = await bought.reclaimed(bought.credits * made[0].amount_minor // 500)
    assert row.refunded_minor == sum(each["amount"] for each in await bought.refunds_at_stripe())
    await check_ledger(backend)


async def test_what_stripe_refuses_is_told_in_its_words_and_can_be_asked_again(backend: RunningBackend) -> None:
    bought = await buy(backend)
    flow_context = outpaced(bought, lambda: bought.refund_at_stripe(400))

    with pytest.raises(NotRefundable, match="greater than unrefunded amount"):
        await refund(bought, "2.00", flow_context=flow_context)

    [failed] = await bought.refund_rows()
    assert failed.status == RefundState.FAILED
    assert "greater than unrefunded amount" in (failed.failure or "")
    assert (await refund(bought, "1.00")).status == RefundState.SUCCEEDED
    assert (await bought.row()).status == PurchaseStatus.REFUNDED
    await check_ledger(backend)


async def test_a_refund_that_the_bank_takes_its_time_with_is_pending_and_counts_when_it_succeeds(
    own_backend: RunningBackend,
) -> None:
    bought = await buy(own_backend, "pm_card_pendingRefund")

    made = await refund(bought, "1.00")
    assert (made.status, await bought.available()) == (RefundState.PENDING, bought.credits)
    # what is pending is not left to be refunded again
    with pytest.raises(NotRefundable, match=r"At most 4\.00 EUR"):
        await refund(bought, "4.01")
    await own_backend.advance("PT2M")

    await bought.reclaimed(bought.credits // 5)
    assert [each.status for each in await bought.refund_rows()] == [RefundState.SUCCEEDED]


async def test_a_refund_that_the_bank_returns_has_failed_and_can_be_made_again(own_backend: RunningBackend) -> None:
    bought = await buy(own_backend, "pm_card_refundFail")

    assert (await refund(bought)).status == RefundState.SUCCEEDED
    await own_backend.advance("PT2M")
    await bought.reclaimed(0)

    [failed] = await bought.refund_rows()
    assert (failed.status, failed.failure) == (RefundState.FAILED, "expired_or_canceled_card")
    assert (await refund(bought)).status == RefundState.SUCCEEDED
    assert (await bought.row()).status == PurchaseStatus.REFUNDED
    await check_ledger(own_backend)


async def test_the_command_refunds_in_part_then_in_full_and_says_what_it_did(
    backend: RunningBackend, tmp_path: Path
) -> None:
    bought = await buy(backend)
    environment = _environment(backend, tmp_path)

    part = await asyncio.to_thread(
        run_command, "purchase", "refund", bought.global_id, "--amount", "2.50", environment=environment
    )
    assert part.returncode == 0, part.stderr
    [sent] = await bought.refunds_at_stripe()
    assert part.stdout == f"2.50 EUR was refunded ({sent['id']}); 500,000 tokens taken back in all.\n"
    full = await asyncio.to_thread(run_command, "purchase", "refund", bought.global_id, environment=environment)
    assert full.returncode == 0, full.stderr
    assert (await bought.row()).status == PurchaseStatus.REFUNDED


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("{id}", "--amount", "5.01"), "At most 5.00 EUR of this purchase can still be refunded"),
        (("{id}", "--amount", "much"), "'much' is no amount"),
        (("{id}", "--amount", "NaN"), "'NaN' is no amount"),
        (("{id}", "--amount", "-1"), "must not be negative"),
        (("{id}", "--amount", "1e0"), "'1e0' is no amount"),
        (("Workspace_AAAA",), "'Workspace_AAAA' is no id of a purchase."),
        (("{unknown}",), "There is no such object"),
    ],
)
async def test_the_command_says_in_a_sentence_what_it_refuses(
    backend: RunningBackend, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    bought = await buy(backend)
    ids = {"id": bought.global_id, "unknown": replace(bought, id=uuid4()).global_id}

    refused = await asyncio.to_thread(
        run_command,
        "purchase",
        "refund",
        *(argument.format(**ids) for argument in arguments),
        environment=_environment(backend, tmp_path),
    )

    assert refused.returncode == 2
    assert said in " ".join(refused.stderr.split())
    assert "Traceback" not in refused.stderr
    assert await bought.refunds_at_stripe() == []


def _environment(backend: RunningBackend, home: Path) -> dict[str, str]:
    """What a command needs to work on the house's database and sandbox."""
    settings = backend.parts.settings
    return {
        "COUNTERFOIL_HOME": str(home),
        "DATABASE_URL": backend.parts.database_url,
        "SANDBOX_PORT": str(settings.sandbox_port),
        "CATALOG": str(settings.catalog),
    }
