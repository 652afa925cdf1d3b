"""Deleting an account or an organization: unfinished purchases first, then the customers at the provider, then the rows here.

A deletion is stored before the provider is asked anything, so that the worker can resume one that was interrupted. Its steps: begin
(close the workspaces), finish the purchases, make it irreversible, take the person out of the customers of organizations that stay,
delete the customers, erase. Before it is irreversible it may be
cancelled; after that it can only go forward.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from app.accounts.access import audit_log
from app.accounts.access.audit_log import Actor
from app.accounts.access.permissions import WorkspaceRole
from app.accounts.erasure import erase_person, erase_workspace
from app.accounts.security.secrets import Keys
from app.accounts.workspaces.members import LastOwner, end_invitations
from app.billing.payments import workspace_closing
from app.billing.payments.payment_errors import PaymentUnavailable
from app.db.engine import Session
from app.db.tables.deletions import DeletionRow
from app.db.tables.workspaces import WorkspaceRow
from app.db.unit_of_work import transact
from app.errors import Conflict, DomainError
from app.flows.deletion.provider_closing import (
    delete_customers,
    finish_purchases,
    require_reachable,
    rewrite_customers,
)
from app.flows.flow_context import FlowContext
from app.flows.subscriptions.endings import end_subscriptions
from app.ids import uuid7
from app.payments.gateway_errors import GatewayRefused, GatewayUnavailable
from app.store import customers as customer_store
from app.store import deletions as deletion_store
from app.store import erasure as erasure_store
from app.store import memberships as membership_store
from app.store import workspaces as workspace_store

# The worker resumes a deletion after this time: longer than one takes that is running.
_CHECK_AFTER: Final = timedelta(minutes=2)
_UNREACHABLE: Final = "The payment provider could not be reached. Nothing was deleted; try again."
_CONTINUES: Final = "The payment provider did not answer in time. The deletion goes on by itself as soon as it does."


@dataclass(frozen=True, slots=True)
class _Deletion:
    """A deletion that was stored; `workspace_ids` are closed and will be deleted. `user_id` is None for one of an organization."""

    deletion_id: UUID
    user_id: UUID | None
    requested_by: UUID
    workspace_ids: tuple[UUID, ...]


async def delete_account(context: FlowContext, keys: Keys, user_id: UUID) -> None:
    """Delete a user for good, with their personal workspace and the organizations that nobody else belongs to.

    Raises `LastOwner` while they are the only owner of an organization with other members, `PaymentPending` while a payment is
    under way, `PaymentUnavailable` when the provider can't be reached; nothing is erased then.
    """

    async def begin(session: Session) -> _Deletion:
        is_irreversible = await deletion_store.is_irreversible(session, user_id)
        workspace_ids = await _workspaces_of_user(session, user_id, is_irreversible=is_irreversible)
        row = DeletionRow(user_id=user_id, workspace_id=None, requested_by=user_id)
        return await _begin(session, workspace_ids, row)

    await _run(context, keys, await transact(context.database, begin, step="deletion.begin"))


async def delete_workspace(
    context: FlowContext, keys: Keys, actor_id: UUID, authorize: Callable[[Session], Awaitable[WorkspaceRow]]
) -> None:
    """Delete an organization for good; the people who belong to it stay.

    `authorize` checks in the transaction that the caller may, and returns the workspace. Raises as `delete_account`.
    """

    async def begin(session: Session) -> _Deletion:
        workspace = await authorize(session)
        row = DeletionRow(user_id=None, workspace_id=workspace.id, requested_by=actor_id)
        return await _begin(session, [workspace.id], row)

    await _run(context, keys, await transact(context.database, begin, step="deletion.begin"))


async def resume_deletion(context: FlowContext, keys: Keys, deletion_id: UUID) -> None:
    """Resume a deletion that was interrupted; it is cancelled where a person must act first.

    Raises `PaymentUnavailable` while the provider can't be reached: the worker then tries again later.
    """
    deletion = await transact(context.database, lambda session: _resume(session, deletion_id), step="deletion.resume")
    if deletion is not None:
        await _run(context, keys, deletion, is_resumed=True)


async def _begin(session: Session, workspace_ids: Sequence[UUID], row: DeletionRow) -> _Deletion:
    """Store the deletion and close the workspaces; where the same deletion is under way, take it over instead."""
    under_way = await deletion_store.lock_of(session, user_id=row.user_id, workspace_id=row.workspace_id)
    if under_way is None:
        row.id, row.created_at, row.next_check_at = uuid7(), session.real_now, session.real_now + _CHECK_AFTER
        row.workspace_ids = list(workspace_ids)
        await deletion_store.add(session, row)
        under_way = row
    under_way.workspace_ids = sorted({*under_way.workspace_ids, *workspace_ids})
    for workspace_id in workspace_ids:
        await workspace_closing.close(session, workspace_id)
    return _Deletion(under_way.id, under_way.user_id, under_way.requested_by, tuple(workspace_ids))


async def _resume(session: Session, deletion_id: UUID) -> _Deletion | None:
    found = await deletion_store.find(session, deletion_id)
    if found is None:
        return None
    try:
        workspace_ids = await _workspaces_of(session, found)
    except LastOwner:
        await _cancel_in(session, deletion_id)
        return None
    # The deletion is locked after the workspaces: all callers lock in this order. Another call may have finished it meanwhile.
    row = await deletion_store.lock(session, deletion_id)
    if row is None:
        return None
    row.next_check_at = session.real_now + _CHECK_AFTER
    return await _begin(session, workspace_ids, row)


async def _workspaces_of(session: Session, row: DeletionRow) -> list[UUID]:
    if row.user_id is None:
        assert row.workspace_id is not None
        return [row.workspace_id]
    return await _workspaces_of_user(session, row.user_id, is_irreversible=row.irreversible_at is not None)


async def _run(context: FlowContext, keys: Keys, deletion: _Deletion, *, is_resumed: bool = False) -> None:
    try:
        await finish_purchases(context, deletion.workspace_ids)
        if deletion.user_id is not None:
            await require_reachable(context, deletion.user_id, deletion.workspace_ids)
        # last, since it can't be taken back
        await end_subscriptions(context, deletion.workspace_ids)
        is_needed = await transact(
            context.database, lambda session: _make_irreversible(session, deletion), step="deletion.settle"
        )
    except (GatewayUnavailable, GatewayRefused) as error:
        if is_resumed or not await _cancel(context, deletion):
            raise PaymentUnavailable(_CONTINUES) from error
        raise PaymentUnavailable(_UNREACHABLE) from error
    except DomainError:
        await _cancel(context, deletion)
        raise
    if not is_needed:
        return
    try:
        if deletion.user_id is not None:
            await rewrite_customers(context, deletion.user_id, deletion.workspace_ids)
        await delete_customers(context, deletion.workspace_ids)
    except (GatewayUnavailable, GatewayRefused) as error:
        raise PaymentUnavailable(_CONTINUES) from error
    await transact(context.database, lambda session: _finish(session, keys, deletion), step="deletion.erase")


async def _make_irreversible(session: Session, deletion: _Deletion) -> bool:
    """Make the deletion irreversible; returns False when another call has already finished it.

    In the same transaction an account leaves the organizations that are not deleted, so that nothing can prevent erasing it later.
    Raises `LastOwner` and `Conflict` for what changed since the deletion was begun, and `PaymentUnavailable` when another call
    cancelled it.
    """
    is_there = await _lock(session, deletion)
    row = await deletion_store.lock(session, deletion.deletion_id)
    if row is None:
        if not is_there:
            return False
        raise PaymentUnavailable(_UNREACHABLE)
    if row.irreversible_at is None:
        if deletion.user_id is not None:
            await _leave_remaining_workspaces(session, deletion.user_id, deletion.workspace_ids)
        else:
            await _require_owner(session, deletion)
        row.irreversible_at = session.real_now
    return True


async def _require_owner(session: Session, deletion: _Deletion) -> None:
    """Raise `Conflict` unless the person who asked is still an owner: another owner may have changed that meanwhile."""
    membership = await membership_store.find(session, deletion.workspace_ids[0], deletion.requested_by)
    if membership is None or membership.role != WorkspaceRole.OWNER:
        raise Conflict(
            "Only an owner can delete an organization, and you are not an owner any more. Nothing was deleted."
        )


async def _lock(session: Session, deletion: _Deletion) -> bool:
    """Lock the person and the workspaces; False when there is no such person or workspace any more.

    All callers lock in this order: the person, the workspaces, then the deletion.
    """
    if deletion.user_id is None:
        return await workspace_store.lock(session, deletion.workspace_ids[0]) is not None
    is_there = await erasure_store.lock_user(session, deletion.user_id) is not None
    await deletion_store.lock_workspaces(session, deletion.user_id)
    return is_there


async def _leave_remaining_workspaces(session: Session, user_id: UUID, deleted: Collection[UUID]) -> None:
    if set(await _workspaces_of_user(session, user_id, is_irreversible=False)) != set(deleted):
        raise Conflict
    await _leave_all_except(session, user_id, deleted)


async def _leave_all_except(session: Session, user_id: UUID, deleted: Collection[UUID]) -> list[WorkspaceRow]:
    """Remove the user from every workspace but the `deleted` ones; returns those, locked."""
    locked = await deletion_store.lock_workspaces(session, user_id)
    staying = [row.id for row in locked if row.id not in deleted]
    for workspace_id, role in (await deletion_store.leave(session, user_id, staying)).items():
        await audit_log.record(
            session,
            workspace_id,
            Actor(user_id=user_id),
            "member.left",
            "A member's account was deleted.",
            before={"role": role},
            after={"role": None},
        )
        await end_invitations(session, workspace_id, Actor(user_id=user_id), user_id)
    return [row for row in locked if row.id in deleted]


async def _finish(session: Session, keys: Keys, deletion: _Deletion) -> None:
    """Erase the rows. Safe to call again: the deletion's own row is removed in the same transaction.

    Raises `PaymentUnavailable` while a customer may still have the person's address: somebody else was writing it.
    """
    await _lock(session, deletion)
    if await deletion_store.lock(session, deletion.deletion_id) is None:
        return
    if deletion.user_id is not None:
        deleted = await _workspaces_of_user(session, deletion.user_id, is_irreversible=True)
        workspaces = await _leave_all_except(session, deletion.user_id, deleted)
        if await customer_store.naming(session, deletion.user_id, except_for=deleted):
            raise PaymentUnavailable(_CONTINUES)
        await erase_person(session, keys, deletion.user_id, workspaces)
    else:
        workspace = await workspace_store.lock(session, deletion.workspace_ids[0])
        assert workspace is not None, "a workspace and its deletion are removed in one transaction"
        await erase_workspace(session, keys, Actor(user_id=deletion.requested_by), workspace)
    await deletion_store.remove(session, deletion.deletion_id)


async def _cancel(context: FlowContext, deletion: _Deletion) -> bool:
    """Cancel the deletion: everything is as before it was requested. False when it is irreversible."""
    return await transact(
        context.database, lambda session: _cancel_in(session, deletion.deletion_id), step="deletion.stop"
    )


async def _cancel_in(session: Session, deletion_id: UUID) -> bool:
    row = await deletion_store.lock(session, deletion_id)
    if row is not None and row.irreversible_at is not None:
        return False
    if row is not None:
        await deletion_store.remove(session, deletion_id)
        # all workspaces that any call of this deletion closed
        for workspace_id in row.workspace_ids:
            await workspace_closing.reopen(session, workspace_id)
    return True


async def _workspaces_of_user(session: Session, user_id: UUID, *, is_irreversible: bool) -> list[UUID]:
    """The workspaces that are deleted with their user, locked: those that nobody else belongs to, and the personal one.

    Raises `LastOwner` while the user is the only owner of another one, unless the deletion is irreversible: then they have left it.
    """
    await deletion_store.lock_workspaces(session, user_id)
    found = await deletion_store.workspaces_of(session, user_id)
    needing = [each.name for each in found if not each.is_theirs_alone and each.other_owners == 0]
    if needing and not is_irreversible:
        raise LastOwner(
            f"You are the only owner of {', '.join(needing)}, which has other members: make one of them an owner, or delete it."
        )
    return [each.id for each in found if each.is_theirs_alone]
