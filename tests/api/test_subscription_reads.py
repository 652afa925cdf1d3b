"""What owners and members see of a subscription, and who holds its seats."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

from app.billing.subscriptions.pending_changes import PendingChange, PendingChangeKind
from app.catalog import load_catalog
from app.db.engine import Session
from app.db.tables.payments import InvoiceRow
from app.db.unit_of_work import transact
from app.ids import uuid7
from tests.support.accounts import Person, new_address
from tests.support.organizations import AccountsApi, Organization
from tests.support.running_backend import CATALOGS
from tests.support.subscriptions import choice_of, end_subscription, subscribe, tell_recurring

_CATALOG = load_catalog(CATALOGS / "analytics.toml")
_TEAM = choice_of(_CATALOG, "team", 5)
_SOON = datetime(2027, 3, 1, tzinfo=UTC)
_WHOLE: Final = """{
  plan { code }
  subscription {
    id plan { code } status interval seats { total used available } addOns { quantity addOn { code } }
    currentPeriod { start end } renewsAt trialEndsAt graceEndsAt cancelAtPeriodEnd version
    recurringPrice { amount currency } recurringTotal { amount }
    pendingChange {
      kind plan { code } interval seats addOns { quantity } recurringPrice { amount } effectiveAt expiresAt
      invoice { total { amount } }
    }
  }
}"""
_SUBSCRIPTION: Final = f"query ($id: ID!) {{ workspace(id: $id) {_WHOLE} }}"
_HOLDERS: Final = "query ($id: ID!) { workspace(id: $id) { members { nodes { id holdsSeat } } } }"
_ACCESS: Final = "query ($id: ID!) { workspace(id: $id) { viewerRole permissions } }"
_BILLING_FIELDS: Final = ("recurringPrice", "recurringTotal", "graceEndsAt")


async def _seen(accounts: AccountsApi, who: Person, organization: Organization) -> dict[str, Any]:
    return (await accounts.ask(who, _SUBSCRIPTION, id=organization.id))["workspace"]["subscription"]


async def _team(accounts: AccountsApi, *roles: str, seats: int = 5) -> tuple[Organization, list[Person]]:
    """An organization on Team with members in these roles beside its owner."""
    organization = await accounts.organization()
    await subscribe(accounts.database, organization.row_id, choice_of(_CATALOG, "team", seats))
    people = [await accounts.seat(organization, await accounts.person(), role) for role in roles]
    return organization, people


async def _holders(accounts: AccountsApi, organization: Organization, people: Sequence[Person]) -> list[bool]:
    nodes = (await accounts.ask(organization.owner, _HOLDERS, id=organization.id))["workspace"]["members"]["nodes"]
    holds = {each["id"]: each["holdsSeat"] for each in nodes}
    return [holds[organization.membership(each)] for each in people]


async def test_without_a_subscription_it_is_the_fallback_plan_that_is_shown(one_seat_accounts: AccountsApi) -> None:
    organization = await one_seat_accounts.organization()
    asked = await one_seat_accounts.ask(organization.owner, _SUBSCRIPTION, id=organization.id)
    seen = asked["workspace"]["subscription"]
    assert asked["workspace"]["plan"] == seen["plan"] == {"code": "free"}
    assert (seen["status"], seen["interval"], seen["renewsAt"]) == ("ACTIVE", None, None)
    assert (seen["cancelAtPeriodEnd"], seen["pendingChange"], seen["recurringPrice"]) == (False, None, None)
    assert seen["seats"] == {"total": 1, "used": 1, "available": 0}


async def test_what_was_paid_for_is_shown_until_it_ends(one_seat_accounts: AccountsApi) -> None:
    accounts = one_seat_accounts
    organization, _ = await _team(accounts)
    asked = await accounts.ask(organization.owner, _SUBSCRIPTION, id=organization.id)
    seen = asked["workspace"]["subscription"]
    assert asked["workspace"]["plan"] == seen["plan"] == {"code": "team"}
    assert (seen["status"], seen["interval"]) == ("ACTIVE", "MONTH")
    assert seen["renewsAt"] == seen["currentPeriod"]["end"]
    assert seen["recurringPrice"] == {"amount": "95.00", "currency": "EUR"}
    await end_subscription(accounts.database, organization.row_id)
    seen = await _seen(accounts, organization.owner, organization)
    assert (seen["plan"], seen["status"], seen["renewsAt"]) == ({"code": "free"}, "CANCELED", None)


async def test_members_see_the_plan_and_no_money(one_seat_accounts: AccountsApi) -> None:
    accounts = one_seat_accounts
    organization, [member] = await _team(accounts, "MEMBER")
    lower = PendingChange(
        kind=PendingChangeKind.DOWNGRADE, choice=choice_of(_CATALOG, "personal", 1), effective_at=_SOON
    )
    await subscribe(accounts.database, organization.row_id, _TEAM, pending=lower, grace_ends_at=_SOON)
    await tell_recurring(accounts.database, organization.row_id, 2, 9_500)
    own, seen = [await _seen(accounts, who, organization) for who in (organization.owner, member)]

    assert {name: own[name] for name in _BILLING_FIELDS} == {
        "recurringPrice": {"amount": "95.00", "currency": "EUR"},
        "recurringTotal": {"amount": "95.00"},
        "graceEndsAt": "2027-03-01T00:00:00Z",
    }
    assert own["pendingChange"]["recurringPrice"] == {"amount": "9.00"}
    assert (own["pendingChange"]["plan"], own["pendingChange"]["seats"]) == ({"code": "personal"}, 1)
    assert own["pendingChange"]["effectiveAt"] == "2027-03-01T00:00:00Z"
    hidden = {
        **own,
        **dict.fromkeys(_BILLING_FIELDS),
        "pendingChange": {**own["pendingChange"], "recurringPrice": None},
    }
    assert seen == hidden


async def test_an_end_is_shown_as_the_fallback_plan_to_come(one_seat_accounts: AccountsApi) -> None:
    accounts = one_seat_accounts
    organization, _ = await _team(accounts)
    end = PendingChange(kind=PendingChangeKind.CANCELLATION, choice=None, effective_at=_SOON)
    await subscribe(accounts.database, organization.row_id, _TEAM, pending=end, ends_at=_SOON, period_end=_SOON)
    seen = await _seen(accounts, organization.owner, organization)
    assert (seen["cancelAtPeriodEnd"], seen["renewsAt"]) == (True, None)
    pending = seen["pendingChange"]
    assert (pending["kind"], pending["plan"], pending["interval"]) == ("CANCELLATION", {"code": "free"}, None)
    assert (pending["seats"], pending["recurringPrice"]) == (1, None)


async def test_an_upgrade_that_awaits_its_payment_shows_the_invoice_to_those_who_see_billing(
    one_seat_accounts: AccountsApi,
) -> None:
    accounts = one_seat_accounts
    organization, [member] = await _team(accounts, "MEMBER")
    provider_id = f"in_{uuid4().hex}"
    upgrade = PendingChange(
        kind=PendingChangeKind.AWAITING_PAYMENT,
        choice=choice_of(_CATALOG, "team", 9),
        invoice_id=provider_id,
        expires_at=_SOON,
    )
    await subscribe(accounts.database, organization.row_id, _TEAM, pending=upgrade)
    awaited = (await _seen(accounts, organization.owner, organization))["pendingChange"]
    assert (awaited["invoice"], awaited["expiresAt"]) == (None, "2027-03-01T00:00:00Z")

    await transact(accounts.database, lambda session: _mirror(session, organization, provider_id))

    awaited = (await _seen(accounts, organization.owner, organization))["pendingChange"]
    assert (awaited["invoice"], awaited["seats"]) == ({"total": {"amount": "76.00"}}, 9)
    seen = (await _seen(accounts, member, organization))["pendingChange"]
    assert (seen["kind"], seen["invoice"], seen["expiresAt"]) == ("AWAITING_PAYMENT", None, None)


async def _mirror(session: Session, organization: Organization, provider_id: str) -> None:
    row = InvoiceRow(
        workspace_id=organization.row_id, id=uuid7(), provider_id=provider_id, status="OPEN", currency="EUR",
        issued_at=session.now, subtotal_minor=7_600, tax_minor=0, total_minor=7_600, amount_due_minor=7_600,
        amount_paid_minor=0, amount_refunded_minor=0, credit_applied_minor=0, lines=[], tax_lines=[],
        changed_at=session.now, version=1,
    )  # fmt: skip
    session.add(row)


async def test_of_two_who_accept_at_once_the_one_seat_goes_to_one(one_seat_accounts: AccountsApi) -> None:
    accounts = one_seat_accounts
    organization, _ = await _team(accounts, seats=2)
    invited = [await accounts.invited(organization) for _ in range(2)]
    answers = await asyncio.gather(*(accounts.accept(person, token) for person, token in invited))
    codes = sorted([error["code"] for error in each["userErrors"]] for each in answers)
    assert codes == [[], ["SEATS_IN_USE"]]
    assert len(await accounts.roles(organization)) == 2


async def test_falling_to_fewer_seats_keeps_everybody_and_says_who_holds_one(one_seat_accounts: AccountsApi) -> None:
    accounts = one_seat_accounts
    organization, people = await _team(accounts, "MEMBER", "ADMIN", "OWNER")
    everybody = [organization.owner, *people]
    assert await _holders(accounts, organization, everybody) == [True] * 4
    await end_subscription(accounts.database, organization.row_id)
    assert await _holders(accounts, organization, everybody) == [True, False, False, False]
    assert len(await accounts.roles(organization)) == 4
    seen = await _seen(accounts, people[0], organization)
    assert seen["seats"] == {"total": 1, "used": 1, "available": 0}
    await subscribe(accounts.database, organization.row_id, choice_of(_CATALOG, "team", 3))
    assert await _holders(accounts, organization, everybody) == [True, True, False, True]


async def test_an_admin_without_a_seat_is_a_member_and_manages_again_with_one(one_seat_accounts: AccountsApi) -> None:
    accounts = one_seat_accounts
    organization, [member, admin] = await _team(accounts, "MEMBER", "ADMIN", seats=3)
    given = {"workspaceId": organization.id, "role": "MEMBER"}
    await accounts.do(admin, "inviteMember", emailAddress=new_address(), **given)
    membership, state = organization.membership(member), await accounts.state(organization)

    await subscribe(accounts.database, organization.row_id, choice_of(_CATALOG, "team", 2))
    access = (await accounts.ask(admin, _ACCESS, id=organization.id))["workspace"]
    assert access == {"viewerRole": "ADMIN", "permissions": []}
    assert await accounts.forbidden(admin, "inviteMember", emailAddress=new_address(), **given) == "FORBIDDEN"
    assert await accounts.forbidden(admin, "removeMember", id=membership) == "FORBIDDEN"
    assert await accounts.forbidden(admin, "changeMemberRole", membershipId=membership, role="ADMIN") == "FORBIDDEN"
    assert await accounts.state(organization) == state

    await subscribe(accounts.database, organization.row_id, choice_of(_CATALOG, "team", 3))
    access = (await accounts.ask(admin, _ACCESS, id=organization.id))["workspace"]
    assert access["permissions"] == ["MANAGE_MEMBERS"]
    await accounts.do(admin, "removeMember", id=membership)


async def test_owners_do_billing_also_where_there_are_more_of_them_than_seats(one_seat_accounts: AccountsApi) -> None:
    accounts = one_seat_accounts
    organization, [second] = await _team(accounts, "OWNER")
    await end_subscription(accounts.database, organization.row_id)
    access = (await accounts.ask(second, _ACCESS, id=organization.id))["workspace"]
    assert (access["viewerRole"], "MANAGE_BILLING" in access["permissions"]) == ("OWNER", True)
    assert await _holders(accounts, organization, [organization.owner, second]) == [True, False]


async def test_who_leaves_makes_room_for_the_next_who_waits_for_a_seat(one_seat_accounts: AccountsApi) -> None:
    accounts = one_seat_accounts
    organization, [first, second] = await _team(accounts, "MEMBER", "MEMBER", seats=2)
    assert await _holders(accounts, organization, [first, second]) == [True, False]
    await accounts.do(organization.owner, "removeMember", id=organization.membership(first))
    assert await _holders(accounts, organization, [second]) == [True]


async def test_what_may_be_spent_is_the_limit_of_the_plan_that_the_workspace_is_on(accounts: AccountsApi) -> None:
    catalog = load_catalog(CATALOGS / "compute.toml")
    limits = {plan.code: plan.monthly_spend_limit for plan in catalog.plans}
    organization = await accounts.organization()
    document = "query ($id: ID!) { workspace(id: $id) { spend { limit { amount } } } }"

    async def limit() -> str | None:
        found = (await accounts.ask(organization.owner, document, id=organization.id))["workspace"]["spend"]["limit"]
        return found["amount"] if found is not None else None

    fallback = limits[catalog.fallback_plan_code]
    assert fallback is not None
    assert await limit() == str(fallback.amount)
    other = next(code for code, each in limits.items() if each != fallback)
    await subscribe(accounts.database, organization.row_id, choice_of(catalog, other, 1, None))
    expected = limits[other]
    assert await limit() == (str(expected.amount) if expected is not None else None)
