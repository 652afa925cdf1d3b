"""Joining an organization by invitation, which takes one of its seats, or waits until one is bought."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from app.accounts.access import audit_log
from app.accounts.access.audit_log import Actor, actor_of
from app.accounts.access.callers import UserCaller
from app.accounts.access.workspace_access import WorkspaceAccess, workspace_for
from app.accounts.people.users import AccountClosing, lock_joining_user
from app.accounts.security.secrets import token_hash
from app.accounts.security.shared_errors import TokenExpired
from app.accounts.workspaces.invitations import is_open, require_invitee
from app.billing.payments.workspace_closing import require_open
from app.billing.subscriptions.additions import room_for_seats
from app.billing.subscriptions.present_state import decided
from app.billing.subscriptions.seats import SeatsInUse, seats_now
from app.billing.subscriptions.sold_terms import read_sold
from app.billing.subscriptions.subscription_states import present_choice
from app.catalog import Catalog, SeatMode
from app.db.engine import Session
from app.db.tables.subscriptions import SeatRequestRow, SubscriptionState
from app.db.tables.workspaces import InvitationRow, MembershipRow
from app.errors import IdempotencyConflict, NotFound, Unauthenticated
from app.idempotency import KEYS_KEPT
from app.store import billing_accounts as billing_account_store
from app.store import invitations as invitation_store
from app.store import memberships as membership_store
from app.store import seat_requests as seat_request_store
from app.store import subscriptions as subscription_store
from app.store import workspaces as workspace_store

_PATH: Final = ("input", "token")
# Longer than who accepts waits for the answer; after that the worker buys the seat.
_BOUGHT_WITHIN: Final = timedelta(seconds=30)
# Longer than a payment may wait for the cardholder.
_LINK_GOOD_FOR: Final = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What came of accepting an invitation to a workspace.

    `access` is the workspace as the caller may use it now, None where they have left since, and where they wait for a seat.
    `is_waiting` says the latter; `is_new` that this call made them wait.
    """

    workspace_id: UUID
    access: WorkspaceAccess | None
    is_waiting: bool = False
    is_new: bool = False


async def accept_invitation(
    session: Session, catalog: Catalog, caller: UserCaller, token: str, idempotency_key: str
) -> Acceptance:
    """Accept the invitation of a mailed link.

    Where no seat is free, and the catalog lets accepted invitations buy theirs, the caller waits for it. One who is a member
    already keeps their role, and the invitation is used up. A replay with the same idempotency key returns the present state; so
    does another key while the caller is a member, or waits.

    Raises `TokenExpired` for a link that is unknown, used, revoked or expired, and for one whose sender may no longer give its
    role; `EmailUnverified`, `SeatsInUse`, `IdempotencyConflict`; and `WorkspaceClosing` and `AccountClosing` for a workspace or a
    person that is being deleted.
    """
    await lock_joining_user(session, caller.user_id)
    row = await _locked_invitation(session, token)
    done_id = await _accepted_with(session, caller, idempotency_key)
    if done_id is not None and (row is None or row.id != done_id):
        raise IdempotencyConflict
    if row is not None and done_id is not None and row.accepted_by is None:
        return Acceptance(row.workspace_id, None, is_waiting=True)
    if row is not None and row.accepted_by == caller.user_id:
        present = await _present_state(session, caller, row)
        if done_id is not None or present is not None:
            return Acceptance(row.workspace_id, present)
    if row is None or not is_open(session, row):
        raise TokenExpired(path=_PATH)
    # the workspace is locked, so a deletion either began before and is seen here, or will see the new member
    require_open(await billing_account_store.find(session, row.workspace_id))
    await require_invitee(session, caller, row, lock=True)
    membership = await membership_store.find(session, row.workspace_id, caller.user_id)
    if membership is None:
        waits = await _wait_for_seat(session, catalog, caller, row, idempotency_key)
        if waits is not None:
            return waits
        await _join(session, caller.user_id, row)
    await _use_up(session, caller.user_id, row, idempotency_key)
    await _record(session, caller.user_id, row, membership)
    return Acceptance(row.workspace_id, await workspace_for(session, caller, row.workspace_id))


async def let_in(session: Session, catalog: Catalog, workspace_id: UUID) -> int:
    """Let those in who wait for a seat, the first to accept first, as far as there are seats; how many wait after that."""
    people = {each.user_id for each in await seat_request_store.waiting(session, workspace_id)}
    # in the order in which accepting locks: the people first, then the workspace
    there = {user_id for user_id in sorted(people) if await _may_join(session, user_id)}
    if await workspace_store.lock(session, workspace_id) is None:
        return 0
    account = await billing_account_store.find(session, workspace_id)
    if account is not None and account.closing_at is not None:
        return 0
    waiting = await seat_request_store.waiting(session, workspace_id)
    free = (await seats_now(session, catalog, workspace_id)).available
    for request in waiting:
        row = await invitation_store.get(session, workspace_id, request.invitation_id)
        membership = await membership_store.find(session, workspace_id, request.user_id)
        if row is None or request.user_id not in there or (membership is None and free == 0):
            continue
        if membership is None:
            await _join(session, request.user_id, row)
            free -= 1
        await _use_up(session, request.user_id, row, request.idempotency_key)
        await _record(session, request.user_id, row, membership)
    return await seat_request_store.count_waiting(session, workspace_id)


async def _may_join(session: Session, user_id: UUID) -> bool:
    """Whether a user is there to join, who is locked then; one who is being deleted isn't."""
    try:
        await lock_joining_user(session, user_id)
    except (Unauthenticated, AccountClosing):
        return False
    return True


async def _wait_for_seat(
    session: Session, catalog: Catalog, caller: UserCaller, row: InvitationRow, idempotency_key: str
) -> Acceptance | None:
    """Let the caller wait for a seat, None where one is free. Who waits already goes first.

    Raises `SeatsInUse` where none is free and none can be bought.
    """
    workspace_id = row.workspace_id
    earlier = await seat_request_store.find(session, workspace_id, row.id)
    if earlier is not None and earlier.next_check_at is not None:
        return Acceptance(workspace_id, None, is_waiting=True)
    waiting = await seat_request_store.count_waiting(session, workspace_id)
    if (await seats_now(session, catalog, workspace_id)).available > waiting:
        return None
    if await room_to_buy(session, catalog, workspace_id) <= waiting:
        raise SeatsInUse
    request = SeatRequestRow(
        workspace_id=workspace_id,
        invitation_id=row.id,
        user_id=caller.user_id,
        idempotency_key=idempotency_key,
        next_check_at=session.now + _BOUGHT_WITHIN,
        created_at=session.now,
    )
    await seat_request_store.add(session, request)
    # who has accepted in time is let in once the seat is paid for
    row.expires_at = max(row.expires_at, session.now + _LINK_GOOD_FOR)
    summary = "An invitation was accepted that needs another seat."
    after = {"role": row.role, "invitation": str(row.id)}
    await audit_log.record(session, workspace_id, actor_of(caller), "invitation.waiting", summary, after=after)
    return Acceptance(workspace_id, None, is_waiting=True, is_new=True)


async def room_to_buy(session: Session, catalog: Catalog, workspace_id: UUID) -> int:
    """How many more seats accepted invitations may buy of the subscription as it stands: none while it is unpaid."""
    row = await subscription_store.find(session, workspace_id)
    if catalog.seat_mode is not SeatMode.AUTOMATIC or row is None or row.provider_id is None:
        return 0
    sold = await read_sold(session, catalog, row.workspace_id)
    present = present_choice(row, sold)
    if present is None or row.status != SubscriptionState.ACTIVE:
        return 0
    return room_for_seats(catalog, present, decided(row, sold))


async def _accepted_with(session: Session, caller: UserCaller, idempotency_key: str) -> UUID | None:
    """The id of the invitation that the caller accepted with this key, whether they have joined or had to wait."""
    done = await invitation_store.accepted_with(session, caller.user_id, idempotency_key)
    if done is not None:
        return done.id
    request = await seat_request_store.with_key(session, caller.user_id, idempotency_key)
    return request.invitation_id if request is not None else None


async def _locked_invitation(session: Session, token: str) -> InvitationRow | None:
    """The invitation, read again and locked once its workspace is locked: from then on seats and roles can't change."""
    found = await invitation_store.by_token_hash(session, token_hash(token))
    if found is None or await workspace_store.lock(session, found.workspace_id) is None:
        return None
    return await invitation_store.by_token_hash(session, token_hash(token), lock=True)


async def _present_state(session: Session, caller: UserCaller, row: InvitationRow) -> WorkspaceAccess | None:
    try:
        return await workspace_for(session, caller, row.workspace_id)
    except NotFound:
        return None


async def _join(session: Session, user_id: UUID, row: InvitationRow) -> None:
    membership = MembershipRow(workspace_id=row.workspace_id, user_id=user_id, role=row.role, joined_at=session.now)
    await workspace_store.add_member(session, membership)
    await subscription_store.shown_changed(session, [row.workspace_id])


async def _use_up(session: Session, user_id: UUID, row: InvitationRow, idempotency_key: str) -> None:
    """Use the invitation up: its link no longer works. The row stays, without the address, so that a replay is recognized."""
    row.address = row.address_key = None
    row.accepted_by = user_id
    row.accepted_at = session.now
    row.idempotency_key = idempotency_key
    row.expires_at = session.now + KEYS_KEPT
    await session.flush()
    await seat_request_store.remove(session, row.workspace_id, row.id)


async def _record(session: Session, user_id: UUID, row: InvitationRow, membership: MembershipRow | None) -> None:
    """Write into the audit log that an invitation was accepted; `membership` is what its invitee had already."""
    await audit_log.record(
        session,
        row.workspace_id,
        Actor(user_id=user_id),
        "invitation.accepted",
        "An invitation was accepted." if membership is None else "An invitation was accepted by a member.",
        before={"role": membership.role if membership is not None else None},
        after={"role": membership.role if membership is not None else row.role, "invitation": str(row.id)},
    )
