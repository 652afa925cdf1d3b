"""Deleting an account or a workspace: what is due is settled and the provider forgets the customer first, then all is erased.

A deletion is written down before the provider is asked anything, so that one cut short is gone on with by the worker.
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
from app.accounts.security.account_errors import LastOwner
from app.accounts.security.secrets import Keys
from app.accounts.workspaces.members import end_invitations
from app.billing.payments import workspace_closing
from app.billing.payments.payment_errors import PaymentUnavailable
from app.db.engine import Session
from app.db.tables.deletions import DeletionRow
from app.db.tables.workspaces import WorkspaceRow
from app.db.unit_of_work import transact
from app.errors import Conflict, DomainError
from app.flows.deletion.provider_closing import end_unfinished_purchases, forget_customers
from app.flows.flow_context import FlowContext
from app.ids import uuid7
from app.payments.gateway_values import GatewayRefused, GatewayUnavailable
from app.store import deletions as deletion_store
from app.store import erasure as erasure_store
from app.store import memberships as membership_store
from app.store import workspaces as workspace_store

# a deletion that somebody carries out right now takes less
_CHECK_AFTER: Final = timedelta(minutes=2)
_UNREACHABLE: Final = "The payment provider could not be reached. Nothing was deleted; try again."
_CONTINUES: Final = "The payment provider did not answer in time. The deletion goes on by itself as soon as it does."


@dataclass(frozen=True, slots=True)
class _Deletion:
    """A deletion written down: `workspace_ids` are closed and go with it; without `user_id` it is of the one workspace alone."""

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
        # past the point of no return nobody can need them any more
        decide = (
            _workspaces_alone_in if await deletion_store.is_irreversible(session, user_id) else _workspaces_to_delete
        )
        going = await decide(session, user_id)
        return await _begin(session, going, DeletionRow(user_id=user_id, workspace_id=None, requested_by=user_id))

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
    """Go on with a deletion that was cut short: put off where the provider can't be reached, stopped where a person must act."""
    begun = await transact(context.database, lambda session: _resume(session, deletion_id), step="deletion.resume")
    if begun is not None:
        await _run(context, keys, begun, was_cut_short=True)


async def _begin(session: Session, workspace_ids: Sequence[UUID], row: DeletionRow) -> _Deletion:
    """Write the deletion down, or take over the one under way: asked for twice, it is done once."""
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
    seen = await deletion_store.find(session, deletion_id)
    if seen is None:
        return None
    try:
        going = await _workspaces_of(session, seen)
    except LastOwner:
        await _cancel_in(session, deletion_id)
        return None
    # locked only now, in the order that all keep: another call may have brought it to its end meanwhile
    row = await deletion_store.lock(session, deletion_id)
    if row is None:
        return None
    row.next_check_at = session.real_now + _CHECK_AFTER
    return await _begin(session, going, row)


async def _workspaces_of(session: Session, row: DeletionRow) -> list[UUID]:
    if row.user_id is None:
        assert row.workspace_id is not None
        return [row.workspace_id]
    decide = _workspaces_alone_in if row.irreversible_at is not None else _workspaces_to_delete
    return await decide(session, row.user_id)


async def _run(context: FlowContext, keys: Keys, begun: _Deletion, *, was_cut_short: bool = False) -> None:
    try:
        await end_unfinished_purchases(context, begun.workspace_ids)
        is_needed = await transact(
            context.database, lambda session: _make_irreversible(session, begun), step="deletion.settle"
        )
    except (GatewayUnavailable, GatewayRefused) as error:
        if was_cut_short or not await _cancel(context, begun):
            raise PaymentUnavailable(_CONTINUES) from error
        raise PaymentUnavailable(_UNREACHABLE) from error
    except DomainError:
        await _cancel(context, begun)
        raise
    if not is_needed:
        return
    try:
        await forget_customers(context, begun.workspace_ids)
    except (GatewayUnavailable, GatewayRefused) as error:
        raise PaymentUnavailable(_CONTINUES) from error
    await transact(context.database, lambda session: _finish(session, keys, begun), step="deletion.erase")


async def _make_irreversible(session: Session, begun: _Deletion) -> bool:
    """From here on there is no way back; False when another call has been through all of it.

    An account leaves the organizations that stay at this very moment, so that nothing can stand against erasing it later. Raises
    `LastOwner` and `Conflict` for what changed since it was begun, `PaymentUnavailable` when another call stopped it.
    """
    is_there = await _lock(session, begun)
    row = await deletion_store.lock(session, begun.deletion_id)
    if row is None:
        if not is_there:
            return False
        raise PaymentUnavailable(_UNREACHABLE)
    if row.irreversible_at is None:
        if begun.user_id is not None:
            await _leave_remaining_workspaces(session, begun.user_id, begun.workspace_ids)
        else:
            await _require_owner(session, begun)
        row.irreversible_at = session.real_now
    return True


async def _require_owner(session: Session, begun: _Deletion) -> None:
    """Whoever asked must be an owner still: others may have taken that from them meanwhile."""
    membership = await membership_store.find(session, begun.workspace_ids[0], begun.requested_by)
    if membership is None or membership.role != WorkspaceRole.OWNER:
        raise Conflict("Only owners delete an organization, and you are none any more. Nothing was deleted.")


async def _lock(session: Session, begun: _Deletion) -> bool:
    """Lock what goes, in the order that all keep: the person, the workspaces, and only then the deletion; False when it is gone."""
    if begun.user_id is None:
        return await workspace_store.lock(session, begun.workspace_ids[0]) is not None
    is_there = await erasure_store.lock_user(session, begun.user_id) is not None
    await deletion_store.lock_workspaces(session, begun.user_id)
    return is_there


async def _leave_remaining_workspaces(session: Session, user_id: UUID, going: Collection[UUID]) -> None:
    if set(await _workspaces_to_delete(session, user_id)) != set(going):
        raise Conflict
    await _leave_all_except(session, user_id, going)


async def _leave_all_except(session: Session, user_id: UUID, going: Collection[UUID]) -> list[WorkspaceRow]:
    """Let the user belong to nothing else any more; the locked workspaces that go."""
    locked = await deletion_store.lock_workspaces(session, user_id)
    staying = [row.id for row in locked if row.id not in going]
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
    return [row for row in locked if row.id in going]


async def _finish(session: Session, keys: Keys, begun: _Deletion) -> None:
    """Erase, once, however many calls get here."""
    await _lock(session, begun)
    if await deletion_store.lock(session, begun.deletion_id) is None:
        return
    if begun.user_id is not None:
        going = await _leave_all_except(session, begun.user_id, await _workspaces_alone_in(session, begun.user_id))
        await erase_person(session, keys, begun.user_id, going)
    else:
        workspace = await workspace_store.lock(session, begun.workspace_ids[0])
        assert workspace is not None, "it goes with its deletion, in one transaction"
        await erase_workspace(session, keys, Actor(user_id=begun.requested_by), workspace)
    await deletion_store.remove(session, begun.deletion_id)


async def _cancel(context: FlowContext, begun: _Deletion) -> bool:
    """Let everything be as it was before the deletion was asked for; False when there is no way back any more."""
    return await transact(
        context.database, lambda session: _cancel_in(session, begun.deletion_id), step="deletion.stop"
    )


async def _cancel_in(session: Session, deletion_id: UUID) -> bool:
    row = await deletion_store.lock(session, deletion_id)
    if row is not None and row.irreversible_at is not None:
        return False
    if row is not None:
        await deletion_store.remove(session, deletion_id)
        # whatever any of its calls closed
        for workspace_id in row.workspace_ids:
            await workspace_closing.reopen(session, workspace_id)
    return True


async def _workspaces_alone_in(session: Session, user_id: UUID) -> list[UUID]:
    """The workspaces that nobody else belongs to, the personal one among them."""
    await deletion_store.lock_workspaces(session, user_id)
    return [each.id for each in await deletion_store.workspaces_of(session, user_id) if each.is_theirs_alone]


async def _workspaces_to_delete(session: Session, user_id: UUID) -> list[UUID]:
    """`_workspaces_alone_in`, which go with the account; raises `LastOwner` while another one needs the user."""
    await deletion_store.lock_workspaces(session, user_id)
    found = await deletion_store.workspaces_of(session, user_id)
    needing = [each.name for each in found if not each.is_theirs_alone and each.other_owners == 0]
    if needing:
        raise LastOwner(
            f"You are the only owner of {', '.join(needing)}, which has other members: make one of them an owner, or delete it."
        )
    return [each.id for each in found if each.is_theirs_alone]
