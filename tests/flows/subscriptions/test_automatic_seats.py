"""An invitation accepted where no seat is free buys one: charged once, or nobody joins and nothing is lost."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime

import pytest

from tests.support.client import eventually
from tests.support.running_backend import Person, RunningBackend
from tests.support.subscribing import (
    cancel,
    change_plan,
    change_seats,
    charge_to,
    codes,
    confirm_payment,
    customer_of,
    keep,
    paid_minor,
    stripe_subscriptions,
    subscription,
)
from tests.support.teams import accept, invited, mails_about, member_ids, new_team

pytestmark = pytest.mark.catalogs("messaging")

_DECLINING = "pm_card_chargeCustomerFail"
_AUDIT_LOG = "query ($id: ID!) { workspace(id: $id) { auditLog { nodes { action detail } } } }"
_ASKING = "pm_card_authenticationRequired"


async def _billed_seats(backend: RunningBackend, owner: Person) -> int:
    [stripe] = await stripe_subscriptions(backend, owner)
    return stripe["items"]["data"][0]["quantity"]


async def test_an_accepted_invitation_buys_the_seat_that_it_needs(backend: RunningBackend) -> None:
    owner = await new_team(backend, "starter", seats=1)
    person, token = await invited(backend, owner)

    joined = await accept(backend, person, token)

    assert joined["userErrors"] == []
    assert joined["workspace"] == {"id": owner.workspace, "viewerRole": "MEMBER"}
    found = await subscription(backend, owner)
    assert found["seats"] == {"total": 2, "used": 2, "available": 0}
    # one more seat at 15.00 with 7.5 % tax, but for the seconds that passed
    assert abs(paid_minor(await backend.charges(owner))[1] - 1612) <= 1


async def test_the_audit_log_names_the_invitations_that_bought_seats_as_clients_know_them(
    backend: RunningBackend,
) -> None:
    owner = await new_team(backend, "starter", seats=1)
    person, token = await invited(backend, owner)
    await accept(backend, person, token)

    found = await backend.api.query(_AUDIT_LOG, {"id": owner.workspace}, token=owner.token)

    details = {each["action"]: each["detail"] for each in found["workspace"]["auditLog"]["nodes"]}
    waited = json.loads(details["invitation.waiting"])["after"]["invitation"]
    assert json.loads(details["subscription.change_requested"])["after"]["invitations"] == [waited]


async def test_a_seat_that_is_free_is_taken_and_none_is_bought(backend: RunningBackend) -> None:
    owner = await new_team(backend, "starter", seats=2)
    person, token = await invited(backend, owner)

    assert codes(await accept(backend, person, token)) == []

    assert await _billed_seats(backend, owner) == 2
    assert len(await backend.charges(owner)) == 1


async def test_the_same_acceptance_sent_many_times_at_once_buys_one_seat(backend: RunningBackend) -> None:
    owner = await new_team(backend, "starter", seats=1)
    person, token = await invited(backend, owner)

    answers = await asyncio.gather(*(accept(backend, person, token, key="once") for _ in range(6)))

    assert {tuple(codes(answer)) for answer in answers} == {()}
    assert await _billed_seats(backend, owner) == 2
    assert len(await backend.charges(owner)) == 2


async def test_many_who_accept_at_once_each_have_a_seat(backend: RunningBackend) -> None:
    owner = await new_team(backend, "starter", seats=1)
    people = [await invited(backend, owner) for _ in range(5)]

    answers = await asyncio.gather(*(accept(backend, person, token) for person, token in people))

    assert {code for answer in answers for code in codes(answer)} <= {"PAYMENT_PENDING"}

    async def are_in() -> bool:
        return len(await member_ids(backend, owner)) == 6

    await eventually(are_in)
    assert await _billed_seats(backend, owner) == 6
    charged = paid_minor(await backend.charges(owner))
    assert abs(sum(charged[1:]) - 5 * 1612) <= 10


async def test_a_downgrade_that_waits_gets_the_seat_too(backend: RunningBackend) -> None:
    owner = await new_team(backend, "business", seats=1)
    assert codes(await change_plan(backend, owner, "starter")) == []
    person, token = await invited(backend, owner)

    assert codes(await accept(backend, person, token)) == []

    found = await subscription(backend, owner)
    assert (found["plan"]["code"], found["seats"]["total"]) == ("business", 2)
    pending = found["pendingChange"]
    assert (pending["kind"], pending["plan"]["code"], pending["seats"]) == ("DOWNGRADE", "starter", 2)


async def test_a_subscription_that_ends_sells_no_seats_and_stays_canceled(backend: RunningBackend) -> None:
    owner = await new_team(backend, "starter", seats=1)
    assert codes(await cancel(backend, owner)) == []
    person, token = await invited(backend, owner)

    assert codes(await accept(backend, person, token)) == ["SEATS_IN_USE"]

    assert (await subscription(backend, owner))["cancelAtPeriodEnd"] is True
    assert len(await backend.charges(owner)) == 1
    # the link is good once the owner has changed their mind
    assert codes(await keep(backend, owner)) == []
    assert codes(await accept(backend, person, token)) == []


async def test_seats_are_bought_up_to_what_the_plan_can_have(backend: RunningBackend) -> None:
    owner = await new_team(backend, "starter", seats=10)
    for _ in range(9):
        person, token = await invited(backend, owner)
        assert codes(await accept(backend, person, token)) == []
    person, token = await invited(backend, owner)

    assert codes(await accept(backend, person, token)) == ["SEATS_IN_USE"]

    assert await _billed_seats(backend, owner) == 10
    assert len(await backend.charges(owner)) == 1


async def test_who_is_invited_is_told_nothing_of_the_card_that_was_declined(backend: RunningBackend) -> None:
    owner = await new_team(backend, "starter", seats=1, card=_DECLINING)
    person, token = await invited(backend, owner)

    told = await accept(backend, person, token)

    assert codes(told) == ["PAYMENT_PENDING"]
    assert told["workspace"] is None
    message = told["userErrors"][0]["message"]
    assert "card" not in message
    assert "declined" not in message
    # nobody is let in before they follow the link again, and the message says when to
    assert "follow the link again" in message
    assert len(await member_ids(backend, owner)) == 1
    assert (await subscription(backend, owner))["seats"]["total"] == 1
    assert [each["status"] for each in await backend.stripe_invoices(owner)] == ["void", "paid"]


async def test_a_declined_seat_is_tried_once_and_the_owner_is_mailed(backend: RunningBackend) -> None:
    owner = await new_team(backend, "starter", seats=1, card=_DECLINING)
    person, token = await invited(backend, owner)
    assert codes(await accept(backend, person, token, key="k")) == ["PAYMENT_PENDING"]

    assert codes(await accept(backend, person, token, key="k")) == ["PAYMENT_PENDING"]
    await backend.advance("PT1H")

    assert len(await backend.stripe_invoices(owner)) == 2

    async def mails() -> int:
        return len(await mails_about(backend, owner, "seat"))

    assert await eventually(mails) == 1
    found = await backend.api.query(_AUDIT_LOG, {"id": owner.workspace}, token=owner.token)
    newest = found["workspace"]["auditLog"]["nodes"][0]
    assert newest["action"] == "subscription.change_failed"
    assert json.loads(newest["detail"])["after"] == {"failure": "DECLINED"}
    # with another card the same link can be followed again
    await charge_to(backend, owner, "pm_card_visa")
    assert codes(await accept(backend, person, token)) == []
    assert (await subscription(backend, owner))["seats"]["total"] == 2


async def test_without_a_card_nobody_joins_and_the_owner_is_mailed(backend: RunningBackend) -> None:
    owner = await new_team(backend, "starter", seats=1)
    customer = await customer_of(backend, owner)
    for card in await backend.sandbox.listed(f"/v1/customers/{customer}/payment_methods"):
        await backend.sandbox.post(f"/v1/payment_methods/{card['id']}/detach")

    async def has_none() -> bool:
        return not await backend.cards(owner)

    await eventually(has_none)
    person, token = await invited(backend, owner)

    assert codes(await accept(backend, person, token)) == ["PAYMENT_PENDING"]

    async def is_mailed() -> bool:
        return bool(await mails_about(backend, owner, "seat could not"))

    await eventually(is_mailed)
    assert len(await member_ids(backend, owner)) == 1


async def test_a_seat_that_the_bank_asks_about_is_mailed_and_joins_by_itself_once_paid(
    backend: RunningBackend,
) -> None:
    owner = await new_team(backend, "starter", seats=1, card=_ASKING)
    person, token = await invited(backend, owner)
    second, second_token = await invited(backend, owner)

    assert codes(await accept(backend, person, token)) == ["PAYMENT_PENDING"]
    # a later one waits until the first is through
    assert codes(await accept(backend, second, second_token)) == ["PAYMENT_PENDING"]

    found = await subscription(backend, owner)
    pending = found["pendingChange"]
    assert (pending["kind"], pending["seats"], found["seats"]["total"]) == ("AWAITING_PAYMENT", 2, 1)
    [invoice] = [each for each in await backend.stripe_invoices(owner) if each["status"] == "open"]

    async def mails() -> list[str]:
        return [link for mail in await mails_about(backend, owner, "Confirm") for link in mail["links"]]

    assert await eventually(mails) == [invoice["hosted_invoice_url"]]
    await confirm_payment(backend, invoice["id"])

    async def is_in() -> bool:
        return len(await member_ids(backend, owner)) == 2

    await eventually(is_in)

    async def next_waits() -> str | None:
        opened = [each for each in await backend.stripe_invoices(owner) if each["status"] == "open"]
        return opened[0]["id"] if opened else None

    following = await eventually(next_waits)
    assert following is not None
    await confirm_payment(backend, following)

    async def both_are_in() -> bool:
        return len(await member_ids(backend, owner)) == 3

    await eventually(both_are_in)
    assert await _billed_seats(backend, owner) == 3
    assert codes(await accept(backend, second, second_token)) == []


async def test_a_seat_that_lapses_leaves_the_link_good_and_brings_the_downgrade_back(backend: RunningBackend) -> None:
    owner = await new_team(backend, "business", seats=1, card=_ASKING)
    assert codes(await change_plan(backend, owner, "starter")) == []
    person, token = await invited(backend, owner)
    assert codes(await accept(backend, person, token)) == ["PAYMENT_PENDING"]

    await backend.advance("P1D")

    found = await subscription(backend, owner)
    assert (found["seats"]["total"], found["pendingChange"]["kind"]) == (1, "DOWNGRADE")
    assert found["pendingChange"]["seats"] == 1
    assert len(await mails_about(backend, owner, "A seat could not be paid for")) == 1
    assert len(await member_ids(backend, owner)) == 1
    await charge_to(backend, owner, "pm_card_visa")
    assert codes(await accept(backend, person, token)) == []
    assert (await subscription(backend, owner))["pendingChange"]["seats"] == 2


async def test_an_owner_can_take_back_a_seat_that_waits_for_its_payment(backend: RunningBackend) -> None:
    owner = await new_team(backend, "starter", seats=1, card=_ASKING)
    person, token = await invited(backend, owner)
    assert codes(await accept(backend, person, token)) == ["PAYMENT_PENDING"]

    assert codes(await keep(backend, owner)) == []
    await backend.advance("PT20M")

    assert (await subscription(backend, owner))["pendingChange"] is None
    assert [each["status"] for each in await backend.stripe_invoices(owner)] == ["void", "paid"]
    assert await mails_about(backend, owner, "could not be paid") == []


async def test_while_a_renewal_is_unpaid_no_seats_are_bought(backend: RunningBackend) -> None:
    owner = await new_team(backend, "starter", seats=1, card=_DECLINING)
    period_end = datetime.fromisoformat((await subscription(backend, owner))["currentPeriod"]["end"])
    left = period_end - backend.database.clock.now()
    await backend.advance(f"PT{int(left.total_seconds()) + 7_200}S")
    assert (await subscription(backend, owner))["status"] == "PAST_DUE"
    person, token = await invited(backend, owner)

    assert codes(await accept(backend, person, token)) == ["SEATS_IN_USE"]


async def test_a_seat_bought_by_the_owner_lets_in_who_waits(backend: RunningBackend) -> None:
    owner = await new_team(backend, "starter", seats=1, card=_ASKING)
    person, token = await invited(backend, owner)
    assert codes(await accept(backend, person, token)) == ["PAYMENT_PENDING"]
    assert codes(await keep(backend, owner)) == []
    await charge_to(backend, owner, "pm_card_visa")
    assert codes(await change_seats(backend, owner, 2)) == []

    assert codes(await accept(backend, person, token)) == []

    assert await _billed_seats(backend, owner) == 2


async def test_while_stripe_is_away_the_seat_is_bought_later(backend: RunningBackend) -> None:
    owner = await new_team(backend, "starter", seats=1)
    person, token = await invited(backend, owner)
    await backend.sandbox.fail("drop_before", "/v1/subscriptions.*", method="GET", times=50)

    assert codes(await accept(backend, person, token)) == ["PAYMENT_PENDING"]
    assert len(await member_ids(backend, owner)) == 1
    await backend.sandbox.restore()
    await backend.advance("PT10M")

    assert len(await member_ids(backend, owner)) == 2
    assert len(await backend.charges(owner)) == 2


async def test_an_invitation_that_is_revoked_while_its_seat_waits_lets_nobody_in(backend: RunningBackend) -> None:
    owner = await new_team(backend, "starter", seats=1, card=_ASKING)
    person, token = await invited(backend, owner)
    assert codes(await accept(backend, person, token)) == ["PAYMENT_PENDING"]
    shown = await backend.api.query(
        "query ($id: ID!) { workspace(id: $id) { invitations { id } } }", {"id": owner.workspace}, token=owner.token
    )
    [invitation] = shown["workspace"]["invitations"]
    revoke = "mutation ($input: IdInput!) { revokeInvitation(input: $input) { userErrors { code } } }"
    await backend.api.query(revoke, {"input": {"id": invitation["id"]}}, token=owner.token)
    [invoice] = [each for each in await backend.stripe_invoices(owner) if each["status"] == "open"]

    await confirm_payment(backend, invoice["id"])

    async def has_two_seats() -> bool:
        return (await subscription(backend, owner))["seats"]["total"] == 2

    await eventually(has_two_seats)
    assert len(await member_ids(backend, owner)) == 1
    assert codes(await accept(backend, person, token)) == ["TOKEN_EXPIRED"]
