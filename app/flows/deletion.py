"""Deleting an account or a workspace: what is due is settled and the provider forgets the customer first, then all is erased.

A deletion is written down before the provider is asked anything, so that one cut short is gone on with by the worker.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from app.accounts import audit
from app.accounts.audit import Actor
from app.accounts.erasure import erase_person, erase_workspace
from app.accounts.errors import LastOwner
from app.accounts.secrets import Keys
from app.billing import closing
from app.billing.purchases import PaymentPending, PaymentUnavailable
from app.db.engine import Session
from app.db.tables.accounts import DeletionRow
from app.db.tables.workspaces import WorkspaceRow
from app.db.unit_of_work import transact
from app.errors import DomainError
from app.flows.closing import forget_customers, settle_open_purchases
from app.flows.desk import Desk
from app.ids import uuid7
from app.payments.values import GatewayRefused, GatewayUnavailable
from app.store import deletions as store
from app.store import erasure as erasure_store
from app.store import workspaces

# a deletion that somebody carries out right now takes less
_LOOK_AFTER: Final = timedelta(minutes=2)
_UNREACHABLE: Final = "The payment provider could not be reached. Nothing was deleted; try again."
_GOES_ON: Final = "The payment provider did not answer in time. The deletion goes on by itself as soon as it does."


@dataclass(frozen=True, slots=True)
class _Begun:
    deletion_id: UUID
    workspace_ids: tuple[UUID, ...]


async def delete_account(desk: Desk, keys: Keys, user_id: UUID) -> None:
    """Delete a user for good, with their personal workspace and the organizations that nobody else belongs to.

    Raises `LastOwner` while they are the only owner of an organization with other members, `PaymentPending` while a payment is
    under way, `PaymentUnavailable` when the provider can't be reached; nothing is erased then.
    """

    async def begin(session: Session) -> _Begun:
        going = await _going_with(session, user_id)
        return await _begin(session, going, DeletionRow(user_id=user_id, workspace_id=None, requested_by=user_id))

    begun = await transact(desk.database, begin, step="deletion.begin")
    await _carry_out(desk, begun, lambda session: _erase_account(session, keys, user_id))


async def delete_workspace(
    desk: Desk, keys: Keys, actor_id: UUID, authorize: Callable[[Session], Awaitable[WorkspaceRow]]
) -> None:
    """Delete an organization for good; the people who belong to it stay.

    `authorize` checks in the transaction that the caller may, and returns the workspace. Raises as `delete_account`.
    """

    async def begin(session: Session) -> _Begun:
        workspace = await authorize(session)
        row = DeletionRow(user_id=None, workspace_id=workspace.id, requested_by=actor_id)
        return await _begin(session, [workspace.id], row)

    begun = await transact(desk.database, begin, step="deletion.begin")
    [workspace_id] = begun.workspace_ids
    await _carry_out(desk, begun, lambda session: _erase_workspace(session, keys, actor_id, workspace_id))


async def carry_on(desk: Desk, keys: Keys, deletion_id: UUID) -> None:
    """Go on with a deletion that was cut short: put off where the provider can't be reached, stopped where a person must act."""
    begun, erase = await transact(
        desk.database, lambda session: _resume(session, keys, deletion_id), step="deletion.resume"
    )
    if begun is not None:
        await _carry_out(desk, begun, erase, was_cut_short=True)


async def _begin(session: Session, workspace_ids: Sequence[UUID], row: DeletionRow) -> _Begun:
    """Write the deletion down, or take over the one under way: asked for twice, it is done once."""
    under_way = await store.of(session, user_id=row.user_id, workspace_id=row.workspace_id)
    if under_way is None:
        row.id, row.created_at, row.next_look_at = uuid7(), session.real_now, session.real_now + _LOOK_AFTER
        await store.add(session, row)
        under_way = row
    for workspace_id in workspace_ids:
        await closing.close(session, workspace_id)
        await store.withdraw_invitations(session, workspace_id)
    return _Begun(under_way.id, tuple(workspace_ids))


async def _resume(
    session: Session, keys: Keys, deletion_id: UUID
) -> tuple[_Begun | None, Callable[[Session], Awaitable[None]]]:
    async def nothing(_session: Session) -> None:
        return

    row = await store.find(session, deletion_id)
    if row is None:
        return None, nothing
    row.next_look_at = session.real_now + _LOOK_AFTER
    user_id, workspace_id, requested_by = row.user_id, row.workspace_id, row.requested_by
    if user_id is not None:
        try:
            going = await _going_with(session, user_id)
        except LastOwner:
            for workspace_id, *_ in await store.workspaces_of(session, user_id):
                await closing.open_again(session, workspace_id)
            await store.end(session, deletion_id)
            return None, nothing
        return await _begin(session, going, row), lambda later: _erase_account(later, keys, user_id)
    assert workspace_id is not None
    return _Begun(row.id, (workspace_id,)), lambda later: _erase_workspace(later, keys, requested_by, workspace_id)


async def _carry_out(
    desk: Desk, begun: _Begun, erase: Callable[[Session], Awaitable[None]], *, was_cut_short: bool = False
) -> None:
    try:
        await settle_open_purchases(desk, begun.workspace_ids)
    except (GatewayUnavailable, GatewayRefused) as error:
        if was_cut_short:
            raise PaymentUnavailable(_GOES_ON) from error
        await _stop(desk, begun)
        raise PaymentUnavailable(_UNREACHABLE) from error
    except PaymentPending:
        await _stop(desk, begun)
        raise
    try:
        await forget_customers(desk, begun.workspace_ids)
    except (GatewayUnavailable, GatewayRefused) as error:
        # the provider may have forgotten some of it: there is no way back, and the worker goes on
        raise PaymentUnavailable(_GOES_ON) from error

    async def finish(session: Session) -> None:
        if await store.find(session, begun.deletion_id) is not None:
            await erase(session)
            await store.end(session, begun.deletion_id)

    try:
        await transact(desk.database, finish, step="deletion.erase")
    except DomainError:
        await _stop(desk, begun)
        raise


async def _stop(desk: Desk, begun: _Begun) -> None:
    """Everything is as it was before the deletion was asked for."""

    async def work(session: Session) -> None:
        for workspace_id in begun.workspace_ids:
            await closing.open_again(session, workspace_id)
        await store.end(session, begun.deletion_id)

    await transact(desk.database, work, step="deletion.stop")


async def _going_with(session: Session, user_id: UUID) -> list[UUID]:
    """The workspaces that go with the account; raises `LastOwner` while one of them needs the user."""
    await store.lock_workspaces(session, user_id)
    going: list[UUID] = []
    needing: list[str] = []
    for workspace_id, kind, name, other_owners, others in await store.workspaces_of(session, user_id):
        if kind == "PERSONAL" or others == 0:
            going.append(workspace_id)
        elif other_owners == 0:
            needing.append(name)
    if needing:
        raise LastOwner(
            f"You are the only owner of {', '.join(needing)}, which has other members: make one of them an owner, or delete it."
        )
    return going


async def _erase_account(session: Session, keys: Keys, user_id: UUID) -> None:
    if await erasure_store.lock_user(session, user_id) is None:
        return
    # somebody may have joined, or the last other owner left, since it was begun
    going = set(await _going_with(session, user_id))
    locked = await store.lock_workspaces(session, user_id)
    for workspace in locked:
        if workspace.id not in going:
            await audit.record(
                session, workspace.id, Actor(user_id=user_id), "member.left", "A member's account was deleted."
            )
    await erase_person(session, keys, user_id, [row for row in locked if row.id in going])


async def _erase_workspace(session: Session, keys: Keys, actor_id: UUID, workspace_id: UUID) -> None:
    workspace = await workspaces.lock(session, workspace_id)
    if workspace is not None:
        await erase_workspace(session, keys, Actor(user_id=actor_id), workspace)
