"""What we write to Stripe of a customer follows what is true here: before an invoice is made, and soon after each change."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import update

from app.accounts.access.permissions import WorkspaceRole
from app.clock import Clock
from app.db.engine import Session
from app.db.tables.people import EmailRow
from app.db.tables.workspaces import MembershipRow
from app.db.unit_of_work import transact
from app.flows.provider.customers import ensure_customer, update_customer
from app.ids import GlobalId
from app.payments.gateway_errors import GatewayUnavailable
from app.store import email_addresses as email_address_store
from app.store import memberships as membership_store
from app.store import oidc_identities as oidc_identity_store
from app.store import workspaces as workspace_store
from tests.flows.deletion.steps import delete_account
from tests.flows.provider.customers import (
    account_of,
    billed_to,
    carried,
    carries,
    customer_of,
    give_odd_address,
    no_job,
    paying_organization,
    settled_customer,
)
from tests.support.organizations import mutation
from tests.support.running_backend import Person, RunningBackend

_PROFILE = "mutation ($input: UpdateProfileInput!) { updateProfile(input: $input) { userErrors { code } } }"
_EMAILS = "{ viewer { emails { id address } } }"
_MAKE_PRIMARY = "mutation ($id: ID!) { setPrimaryEmail(input: {id: $id}) { userErrors { code } } }"
_HANDLE = "mutation ($input: ChangeHandleInput!) { changeHandle(input: $input) { userErrors { code } } }"


async def _name(backend: RunningBackend, person: Person, first: str, last: str) -> None:
    given = {"firstName": first, "lastName": last}
    answer = await backend.api.query(_PROFILE, {"input": given}, token=person.token)
    assert answer["updateProfile"]["userErrors"] == []


async def _take_address(backend: RunningBackend, person: Person) -> str:
    """A new verified address becomes the person's primary one, and the former one is removed."""
    address = f"{uuid4().hex[:12]}@example.com"

    async def add(session: Session) -> None:
        keys = {"email_id": uuid4(), "user_id": person.user_id}
        row = await email_address_store.add_unverified(
            session, **keys, address=address, address_key=address, at=session.now
        )
        await email_address_store.verify(session, row.id, session.now)

    await transact(backend.database, add)
    found = (await backend.api.query(_EMAILS, token=person.token))["viewer"]["emails"]
    ids = {each["address"]: each["id"] for each in found}
    await backend.api.query(_MAKE_PRIMARY, {"id": ids[address]}, token=person.token)
    return address


async def test_an_invoice_is_made_out_to_the_present_name_and_address(
    own_backend: RunningBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = own_backend
    no_job(monkeypatch)
    person = await backend.sign_up()
    await backend.add_card(person)
    await backend.recharge(person)
    first = await billed_to(backend, person)
    await _name(backend, person, "Ada", "Lovelace")
    address = await _take_address(backend, person)
    assert await carried(backend, person) == first

    assert (await backend.recharge(person))["userErrors"] == []

    assert first[1] == person.address
    assert await billed_to(backend, person) == ("Ada Lovelace", address)


async def test_a_name_changed_back_and_forth_is_written_each_time(
    own_backend: RunningBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = own_backend
    no_job(monkeypatch)
    person = await backend.sign_up()
    await backend.add_card(person)

    names: list[str | None] = []
    for name in ("Ada", "Bob", "Ada", "Bob"):
        await _name(backend, person, name, "Lovelace")
        await update_customer(backend.parts.flow_context, person.workspace_id)
        names.append((await carried(backend, person))[0])

    assert names == ["Ada Lovelace", "Bob Lovelace", "Ada Lovelace", "Bob Lovelace"]


async def test_a_customer_that_carries_what_is_true_is_not_written_again(
    own_backend: RunningBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = own_backend
    no_job(monkeypatch)
    person = await backend.sign_up()
    await backend.add_card(person)
    path = f"/v1/customers/{await customer_of(backend, person)}$"
    before = len(await backend.sandbox.requests(path))

    await backend.recharge(person)
    await backend.recharge(person)

    assert len(await backend.sandbox.requests(path)) == before


async def test_a_personal_workspace_named_after_its_handle_is_billed_by_the_new_one(backend: RunningBackend) -> None:
    person, handle = await backend.sign_up(), f"h-{uuid4().hex[:12]}"
    await backend.add_card(person)

    await backend.api.query(_HANDLE, {"input": {"handle": handle}}, token=person.token)

    assert await carries(backend, person, handle, person.address)


# ------------------------------------------------------------------ whoever first paid


@dataclass(frozen=True, slots=True)
class _Shared:
    """An organization whose first owner saved its card; `second` is its other owner, who joined later."""

    first: Person
    second: Person
    organization: Person
    name: str


async def _shared(backend: RunningBackend) -> _Shared:
    first, second = await backend.sign_up(), await backend.sign_up()
    organization = await paying_organization(backend, owner=first)
    await _join(backend, organization, second)
    await settled_customer(backend, organization)
    name, address = await carried(backend, organization)
    assert address == first.address
    return _Shared(first, second, organization, name or "")


async def _join(backend: RunningBackend, organization: Person, person: Person) -> None:
    async def join(session: Session) -> None:
        row = MembershipRow(
            workspace_id=organization.workspace_id,
            user_id=person.user_id,
            role=WorkspaceRole.OWNER.value,
            joined_at=session.now,
        )
        await workspace_store.add_member(session, row)

    await transact(backend.database, join)


def _membership(shared: _Shared, person: Person) -> str:
    return str(GlobalId("Membership", person.user_id, shared.organization.workspace_id))


async def _do(backend: RunningBackend, who: Person, mutation_name: str, /, **given: object) -> None:
    answer = await backend.api.query(mutation(mutation_name), {"input": given}, token=who.token)
    assert answer[mutation_name]["userErrors"] == []


async def _demoted(backend: RunningBackend, shared: _Shared) -> None:
    given = {"membershipId": _membership(shared, shared.first), "role": "ADMIN"}
    await _do(backend, shared.second, "changeMemberRole", **given)


async def _removed(backend: RunningBackend, shared: _Shared) -> None:
    await _do(backend, shared.second, "removeMember", id=_membership(shared, shared.first))


async def _left(backend: RunningBackend, shared: _Shared) -> None:
    await _do(backend, shared.first, "removeMember", id=_membership(shared, shared.first))


async def _deleted(backend: RunningBackend, shared: _Shared) -> None:
    assert await delete_account(backend, shared.first) == []


async def _distrusted(backend: RunningBackend, shared: _Shared) -> None:
    """The identity provider tells another address, so that the one it vouched for is trusted no more."""

    async def distrust(session: Session) -> None:
        await oidc_identity_store.vouch(
            session,
            "https://issuer.example",
            email_id=uuid4(),
            user_id=shared.first.user_id,
            address=shared.first.address,
            address_key=shared.first.address.lower(),
            at=session.now,
        )
        theirs = update(EmailRow).where(EmailRow.user_id == shared.first.user_id)
        await session.execute(theirs.values(vouched_by="https://issuer.example"))
        await oidc_identity_store.distrust_others(
            session, shared.first.user_id, "https://issuer.example", address_key="other@example.com"
        )

    await transact(backend.database, distrust)


@pytest.mark.parametrize("change", [_demoted, _removed, _left, _deleted, _distrusted])
async def test_soon_after_an_owner_stops_being_one_the_customer_has_the_address_of_a_present_owner(
    backend: RunningBackend, change: Callable[[RunningBackend, _Shared], Awaitable[None]]
) -> None:
    shared = await _shared(backend)

    await change(backend, shared)

    assert await carries(backend, shared.organization, shared.name, shared.second.address)


async def test_soon_after_an_organization_was_renamed_the_customer_has_its_new_name(backend: RunningBackend) -> None:
    shared = await _shared(backend)
    given = {"workspaceId": shared.organization.workspace, "name": "Renamed"}

    await _do(backend, shared.first, "updateWorkspace", **given)

    assert await carries(backend, shared.organization, "Renamed", shared.first.address)


async def test_what_others_buy_is_not_made_out_to_an_owner_who_left(
    own_backend: RunningBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = own_backend
    shared = await _shared(backend)
    no_job(monkeypatch)
    await _left(backend, shared)
    assert await carried(backend, shared.organization) == (shared.name, shared.first.address)

    paid = await backend.recharge(replace(shared.organization, token=shared.second.token))

    assert paid["userErrors"] == []
    assert await billed_to(backend, shared.organization) == (shared.name, shared.second.address)


async def test_where_no_owner_has_a_verified_address_the_customer_has_none(backend: RunningBackend) -> None:
    shared = await _shared(backend)
    await _distrusted(backend, shared)

    async def leave(session: Session) -> None:
        await membership_store.remove(session, shared.organization.workspace_id, shared.second.user_id)

    await transact(backend.database, leave)

    assert await carries(backend, shared.organization, shared.name, None)


# ------------------------------------------------------------------ two at once, and in between


@dataclass
class _Gate:
    """A gateway whose writes of customers wait until they are let through; then they go on, or can't be reached."""

    gateway: Any
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    let_through: asyncio.Event = field(default_factory=asyncio.Event)
    fails: bool = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.gateway, name)

    async def update_customer(self, customer_id: str, *, name: str, email: str | None) -> None:
        """Wait, then write."""
        self.reached.set()
        await self.let_through.wait()
        if self.fails:
            raise GatewayUnavailable("away")
        await self.gateway.update_customer(customer_id, name=name, email=email)


async def test_of_two_writers_the_later_one_to_arrive_leaves_what_is_true(
    own_backend: RunningBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = own_backend
    no_job(monkeypatch)
    person, context = await backend.sign_up(), backend.parts.flow_context
    await backend.add_card(person)
    gate = _Gate(context.gateway)
    await _name(backend, person, "Old", "Name")
    late = asyncio.create_task(update_customer(replace(context, gateway=gate), person.workspace_id))
    await gate.reached.wait()
    await _name(backend, person, "New", "Name")
    await update_customer(context, person.workspace_id)
    assert await carried(backend, person) == ("New Name", person.address)

    gate.let_through.set()
    await late

    assert await carried(backend, person) == ("New Name", person.address)


async def test_what_was_written_beside_another_write_is_written_again_once_that_one_can_not_arrive_any_more(
    own_backend: RunningBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = own_backend
    no_job(monkeypatch)
    person, context = await backend.sign_up(), backend.parts.flow_context
    await backend.add_card(person)
    gate = _Gate(context.gateway, fails=True)
    gate.let_through.set()
    await _name(backend, person, "Old", "Name")
    with pytest.raises(GatewayUnavailable):
        await update_customer(replace(context, gateway=gate), person.workspace_id)
    await _name(backend, person, "New", "Name")

    await update_customer(context, person.workspace_id)

    account = await account_of(backend, person)
    assert await carried(backend, person) == ("New Name", person.address)
    assert account.customer_digest is None
    assert account.customer_due_at == account.customer_claimed_until

    lapsed = account.customer_claimed_until

    def later(_clock: Clock) -> datetime:
        assert lapsed is not None
        return lapsed

    monkeypatch.setattr(Clock, "real_now", later)
    await update_customer(context, person.workspace_id)

    account = await account_of(backend, person)
    assert account.customer_digest is not None
    assert account.customer_due_at is None
    assert account.customer_owner_ids == [person.user_id]


async def test_a_customer_made_for_nobody_carries_nothing_until_it_is_known_here(
    own_backend: RunningBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One whose id is lost in a crash can't be deleted with its workspace, and so must not name anybody."""
    backend = own_backend
    no_job(monkeypatch)
    person = await backend.sign_up()

    customer_id = await ensure_customer(backend.parts.flow_context, person.workspace_id)

    [made] = [each for each in await backend.sandbox.requests("/v1/customers$") if each["method"] == "POST"]
    assert person.address not in str(made)
    assert (await backend.sandbox.fetched(f"/v1/customers/{customer_id}"))["email"] == person.address


async def test_an_address_that_stripe_does_not_take_keeps_nobody_from_paying(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await backend.add_card(person)
    await give_odd_address(backend, person)

    assert (await backend.recharge(person))["userErrors"] == []
    assert (await billed_to(backend, person))[1] is None
