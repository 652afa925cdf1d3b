"""Plans that an operator sets: real subscriptions on the card on file, plans that are given, and terms of one workspace's own."""

from __future__ import annotations

import asyncio
import subprocess
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from app.billing.payments.card_mirror import PaymentMethodRequired
from app.billing.subscriptions.plan_refusals import NothingToChange
from app.ids import GlobalId
from tests.support.billing_details import act_in_portal, portal_url
from tests.support.client import eventually
from tests.support.development_inbox import mails_to
from tests.support.plan_moves import audited, live_at_stripe, moves, on_legacy, plan_refunds, refunded, set_by_operator
from tests.support.running_backend import Person, RunningBackend, running_backend
from tests.support.server import run_command
from tests.support.subscribing import (
    cancel,
    change_plan,
    change_seats,
    codes,
    keep,
    paid_minor,
    stripe_invoices,
    stripe_subscriptions,
    subscription,
)

_PLAN = """query ($id: ID!) { workspace(id: $id) { plan { id code prices { interval base { amount } }
  allowances { resource { code } limit } monthlySpendLimit { amount } seats { included } } } }"""
_NODE = "query ($id: ID!) { node(id: $id) { id } }"


async def _somebody(backend: RunningBackend, card: str = "pm_card_visa") -> Person:
    person = await backend.sign_up()
    await backend.add_card(person, card)
    return person


async def _plan(backend: RunningBackend, person: Person) -> dict[str, object]:
    data = await backend.api.query(_PLAN, {"id": person.workspace}, token=person.token)
    return data["workspace"]["plan"]


async def test_a_legacy_plan_is_a_real_subscription_on_the_card_on_file(dollars: RunningBackend) -> None:
    person = await on_legacy(dollars)

    found = await subscription(dollars, person)
    assert (found["plan"]["code"], found["status"], found["interval"]) == ("essential", "ACTIVE", "MONTH")
    [stripe] = await live_at_stripe(dollars, person)
    assert stripe["billing_mode"]["type"] == "flexible"
    assert [each["percentage"] for each in stripe["default_tax_rates"]] == [8.25]
    owner = await dollars.sandbox.fetched(f"/v1/customers/{stripe['customer']}")
    assert stripe["default_payment_method"] == owner["invoice_settings"]["default_payment_method"]
    assert paid_minor(await dollars.charges(person)) == [3248]
    assert ("subscription.set", "operator") in await audited(dollars, person)

    async def is_told() -> bool:
        return "You moved to Essential" in [mail["subject"] for mail in await mails_to(dollars, person.address)]

    await eventually(is_told)


@pytest.mark.parametrize("card", ["pm_card_chargeCustomerFail", "pm_card_authenticationRequired"])
async def test_a_card_that_is_declined_or_asks_its_holder_leaves_nothing_live(
    dollars: RunningBackend, card: str
) -> None:
    person = await _somebody(dollars, card)

    move = await set_by_operator(dollars, person, "essential")

    assert move.state == "FAILED"
    assert move.failure
    assert await live_at_stripe(dollars, person) == []
    assert await stripe_invoices(dollars, person) == []
    assert (await subscription(dollars, person))["plan"]["code"] == "pay-as-you-go"


async def test_without_a_card_nothing_is_ended_and_nothing_begun(dollars: RunningBackend) -> None:
    person = await dollars.sign_up()
    await set_by_operator(dollars, person, "community")

    with pytest.raises(PaymentMethodRequired):
        await set_by_operator(dollars, person, "professional")

    assert (await subscription(dollars, person))["plan"]["code"] == "community"


async def test_enterprise_with_prices_and_limits_of_its_own_is_billed_by_them(dollars: RunningBackend) -> None:
    person = await _somebody(dollars)
    ends_at = (dollars.database.clock.now() + timedelta(days=200)).replace(microsecond=0)

    await set_by_operator(
        dollars,
        person,
        "enterprise",
        base="500.00",
        per_seat="20.00",
        seats=4,
        limits={"model-seconds": Decimal(1_000), "storage": None},
        spend_limit="2500.00",
        ends_at=ends_at,
    )

    plan = await _plan(dollars, person)
    assert plan["prices"] == [{"interval": "MONTH", "base": {"amount": "500.00"}}]
    assert {"resource": {"code": "model-seconds"}, "limit": "1000"} in plan["allowances"]  # pyright: ignore[reportOperatorIssue]
    assert plan["monthlySpendLimit"] == {"amount": "2500.00"}
    # 500.00 and four seats of 20.00, each with 8.25 % on top
    assert paid_minor(await dollars.charges(person)) == [54125 + 8660]
    [stripe] = await live_at_stripe(dollars, person)
    assert stripe["cancel_at"] == int(ends_at.timestamp())
    found = await subscription(dollars, person)
    # its end is known from the first day: until then it renews, and limits nobody who wants to join
    assert (found["seats"], found["cancelAtPeriodEnd"]) == ({"total": 4, "used": 1, "available": 3}, True)
    assert found["renewsAt"] == found["currentPeriod"]["end"]
    assert datetime.fromisoformat(found["pendingChange"]["effectiveAt"]) == ends_at


async def test_a_contract_renews_until_its_end_date_and_then_falls_back(server_url: str) -> None:
    async with running_backend(server_url, "compute") as own:
        person = await _somebody(own)
        ends_at = own.database.clock.now() + timedelta(days=75)
        await set_by_operator(own, person, "enterprise", base="500.00", ends_at=ends_at)
        await own.advance("P70D")

        found = await subscription(own, person)
        assert (found["plan"]["code"], found["renewsAt"]) == ("enterprise", None)
        charged = paid_minor(await own.charges(person))
        # two whole months at 500.00 with 8.25 % on top, and the third until the end date alone
        assert charged[:2] == [54125, 54125]
        assert 0 < charged[2] < 54125
        await own.advance("P6D")

        found = await subscription(own, person)
        assert (found["plan"]["code"], found["status"]) == ("pay-as-you-go", "CANCELED")
        assert await live_at_stripe(own, person) == []
        assert len(paid_minor(await own.charges(person))) == 3


async def test_terms_of_one_workspace_are_shown_to_nobody_else(dollars: RunningBackend) -> None:
    person, other = await _somebody(dollars), await dollars.sign_up()
    await set_by_operator(dollars, person, "enterprise", base="500.00")
    plan_id = (await _plan(dollars, person))["id"]

    assert (await dollars.api.query(_NODE, {"id": plan_id}, token=person.token))["node"] == {"id": plan_id}
    assert (await dollars.api.query(_NODE, {"id": plan_id}, token=other.token))["node"] is None
    assert (await dollars.api.query(_NODE, {"id": plan_id}))["node"] is None
    offered = await dollars.api.query("{ catalog { plans(includeLegacy: true) { id } } }")
    assert plan_id not in [each["id"] for each in offered["catalog"]["plans"]]


async def test_terms_of_one_workspace_are_matched_for_no_other_by_their_price(dollars: RunningBackend) -> None:
    person, other = await _somebody(dollars), await on_legacy(dollars)
    await set_by_operator(dollars, person, "enterprise", base="512.00", spend_limit="9000.00")
    [own] = await live_at_stripe(dollars, person)
    [stripe] = await live_at_stripe(dollars, other)
    price = own["items"]["data"][0]["price"]["id"]

    await dollars.sandbox.post(
        f"/v1/subscriptions/{stripe['id']}",
        **{"items[0][id]": stripe["items"]["data"][0]["id"], "items[0][price]": price, "items[0][quantity]": "1"},
        **{"metadata[terms_id]": own["metadata"]["terms_id"]},
    )
    await dollars.advance("PT5M")

    assert (await _plan(dollars, other))["code"] == "essential"


async def test_two_workspaces_with_the_same_price_have_terms_of_their_own_each(dollars: RunningBackend) -> None:
    first, second = await _somebody(dollars), await _somebody(dollars)
    await set_by_operator(dollars, first, "enterprise", base="500.00")
    await set_by_operator(dollars, second, "enterprise", base="500.00")

    ids = [GlobalId("Plan", str((await _plan(dollars, each))["id"])) for each in (first, second)]
    assert ids[0] != ids[1]
    assert [(await subscription(dollars, each))["plan"]["code"] for each in (first, second)] == ["enterprise"] * 2


async def test_what_was_sold_by_contract_is_neither_changed_nor_canceled_nor_kept_by_its_owner(
    dollars: RunningBackend,
) -> None:
    person = await _somebody(dollars)
    ends_at = dollars.database.clock.now() + timedelta(days=200)
    await set_by_operator(dollars, person, "enterprise", base="500.00", per_seat="20.00", seats=4, ends_at=ends_at)

    assert codes(await change_seats(dollars, person, 9)) == ["NOT_SELF_SERVE"]
    assert codes(await change_plan(dollars, person, "pay-as-you-go")) == ["NOT_SELF_SERVE"]
    assert codes(await cancel(dollars, person)) == ["NOT_SELF_SERVE"]
    assert codes(await keep(dollars, person)) == ["NOT_SELF_SERVE"]
    [stripe] = await live_at_stripe(dollars, person)
    assert stripe["cancel_at"] == int(ends_at.timestamp())


async def test_a_contract_can_not_be_canceled_in_stripes_portal_either(dollars: RunningBackend) -> None:
    person = await _somebody(dollars)
    await set_by_operator(dollars, person, "enterprise", base="500.00")
    [stripe] = await live_at_stripe(dollars, person)

    url = await portal_url(dollars, person)

    assert await act_in_portal(dollars, url, "cancel", subscription=stripe["id"]) == 400
    assert (await subscription(dollars, person))["pendingChange"] is None


async def test_what_has_no_price_is_given_and_ends_on_its_day(dollars: RunningBackend) -> None:
    person = await dollars.sign_up()
    ends_at = dollars.database.clock.now() + timedelta(hours=6)

    await set_by_operator(dollars, person, "enterprise", seats=25, ends_at=ends_at)

    found = await subscription(dollars, person)
    assert (found["plan"]["code"], found["seats"]["total"], found["status"]) == ("enterprise", 25, "ACTIVE")
    await dollars.advance("PT7H")
    assert (await subscription(dollars, person))["plan"]["code"] == "pay-as-you-go"


async def test_a_paid_plan_is_ended_and_refunded_before_another_is_begun(dollars: RunningBackend) -> None:
    person = await on_legacy(dollars)

    await set_by_operator(dollars, person, "professional")

    first, second = reversed(await stripe_subscriptions(dollars, person))
    assert (first["status"], second["status"]) == ("canceled", "active")
    assert first["ended_at"] <= second["start_date"]
    assert paid_minor(await dollars.charges(person)) == [3248, 21650]
    assert await refunded(dollars, person) == [3248]
    assert (await subscription(dollars, person))["plan"]["code"] == "professional"


async def test_a_paid_plan_is_ended_and_refunded_for_one_that_is_given(dollars: RunningBackend) -> None:
    person = await on_legacy(dollars)

    await set_by_operator(dollars, person, "community")

    assert await live_at_stripe(dollars, person) == []
    assert await refunded(dollars, person) == [3248]
    found = await subscription(dollars, person)
    assert (found["plan"]["code"], found["status"]) == ("community", "ACTIVE")


async def test_a_paid_plan_is_ended_and_refunded_for_the_fallback_plan(dollars: RunningBackend) -> None:
    person = await on_legacy(dollars)

    await set_by_operator(dollars, person, "pay-as-you-go")

    assert (await live_at_stripe(dollars, person), await refunded(dollars, person)) == ([], [3248])
    assert (await subscription(dollars, person))["plan"]["code"] == "pay-as-you-go"


async def test_where_the_next_plan_is_declined_the_one_before_is_refunded_all_the_same(dollars: RunningBackend) -> None:
    person = await on_legacy(dollars)
    failing = await dollars.add_card(person, "pm_card_chargeCustomerFail")
    await dollars.api.query(
        "mutation ($input: IdInput!) { setDefaultPaymentMethod(input: $input) { userErrors { code } } }",
        {"input": {"id": failing}},
        token=person.token,
    )

    move = await set_by_operator(dollars, person, "professional")

    assert (move.state, await refunded(dollars, person)) == ("FAILED", [3248])
    assert await live_at_stripe(dollars, person) == []
    found = await subscription(dollars, person)
    assert (found["plan"]["code"], found["status"]) == ("pay-as-you-go", "CANCELED")


async def test_what_is_there_already_is_not_ended_for_itself(dollars: RunningBackend) -> None:
    person = await on_legacy(dollars)

    with pytest.raises(NothingToChange):
        await set_by_operator(dollars, person, "essential")

    assert len(await moves(dollars, person)) == 1


async def _command(backend: RunningBackend, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What a command did that works on the running product's database and sandbox."""
    settings = backend.parts.settings
    environment = {
        "COUNTERFOIL_HOME": str(home),
        "DATABASE_URL": backend.parts.database_url,
        "SANDBOX_PORT": str(settings.sandbox_port),
        "CATALOG": str(settings.catalog),
    }
    return await asyncio.to_thread(run_command, *arguments, environment=environment)


async def _handle(backend: RunningBackend, person: Person) -> str:
    data = await backend.api.query(
        "query ($id: ID!) { workspace(id: $id) { handle } }", {"id": person.workspace}, token=person.token
    )
    return data["workspace"]["handle"]


async def test_the_command_says_what_it_will_do_and_does_it_and_shows_it(
    dollars: RunningBackend, tmp_path: Path
) -> None:
    person = await on_legacy(dollars)
    handle = await _handle(dollars, person)

    unsure = await _command(dollars, tmp_path, "workspace", "set-plan", handle, "professional", "--seats", "6")
    assert unsure.returncode != 0
    assert "Essential of" in unsure.stdout
    assert "32.48 USD goes back to the card" in unsure.stdout
    assert "220.00 USD a month (tax comes on top) is charged to the card on file" in unsure.stdout
    assert len(await live_at_stripe(dollars, person)) == 1
    assert (await subscription(dollars, person))["plan"]["code"] == "essential"

    done = await _command(dollars, tmp_path, "workspace", "set-plan", handle, "professional", "--seats", "6", "--yes")
    assert done.returncode == 0, done.stderr
    assert f"{handle} is on professional now." in done.stdout

    shown = await _command(dollars, tmp_path, "workspace", "show", handle)
    assert shown.returncode == 0, shown.stderr
    lines = dict(line.split(":", 1) for line in shown.stdout.splitlines())
    told = {name: text.strip() for name, text in lines.items()}
    [stripe] = await live_at_stripe(dollars, person)
    assert told["plan"] == "Professional (professional)"
    assert (told["subscription"], told["customer"]) == (stripe["id"], stripe["customer"])
    assert (told["status"], told["interval"], told["seats"]) == ("ACTIVE", "month", "6, members 1")
    assert (told["pending"], told["under way"], told["credits"]) == ("nothing", "nothing", "0 US dollars")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("nothing",),
            "There is no plan 'nothing'. There are: community, essential, professional, pay-as-you-go, enterprise.",
        ),
        (("essential", "--interval", "week"), "'week' is no interval"),
        (("essential", "--seats", "2"), "There is no card to charge"),
        (("enterprise", "--interval", "month"), "Enterprise is not billed monthly."),
        (("enterprise", "--limit", "hats=3"), "There is no resource 'hats'."),
        (("enterprise", "--limit", "storage"), "'storage' is no code and number: write them as in CODE=3."),
        (("enterprise", "--add-on", "hat=1"), "There is no add-on 'hat'."),
        (("enterprise", "--end-date", "2020-01-01"), "The end of the plan must lie in the future."),
        (("enterprise", "--price", "0"), "A price is above zero"),
        (("pay-as-you-go",), "This is what the workspace has"),
    ],
)
async def test_the_command_says_in_a_sentence_what_it_refuses(
    dollars: RunningBackend, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    person = await dollars.sign_up()

    handle = await _handle(dollars, person)
    refused = await _command(dollars, tmp_path, "workspace", "set-plan", handle, *arguments, "--yes")

    assert refused.returncode == 2, refused.stdout
    assert said in " ".join(refused.stderr.split())
    assert "Traceback" not in refused.stderr
    assert await moves(dollars, person) == []


async def test_failed_refunds_are_shown_and_told_by_the_doctor_until_they_are_repeated(
    dollars: RunningBackend, tmp_path: Path
) -> None:
    person = await on_legacy(dollars, card="pm_card_refundFail")
    handle = await _handle(dollars, person)
    await set_by_operator(dollars, person, "community")
    await dollars.advance("PT5M")

    async def has_failed() -> bool:
        return [each.status for each in await plan_refunds(dollars, person)] == ["FAILED"]

    await eventually(has_failed)
    shown = await _command(dollars, tmp_path, "workspace", "show", handle)
    doctor = await _command(dollars, tmp_path, "doctor")
    repeated = await _command(dollars, tmp_path, "workspace", "refund-again", handle)

    assert "32.48 USD of pi_" in shown.stdout
    assert f"A refund of 32.48 USD to {handle} failed: expired_or_canceled_card." in doctor.stdout
    assert repeated.returncode == 0, repeated.stderr
    assert f"The refunds of {handle} were sent again." in repeated.stdout
    assert [each.is_settled for each in await plan_refunds(dollars, person)] == [True, False]
