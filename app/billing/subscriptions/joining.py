"""Joining an organization by invitation, which takes one of its seats."""

from __future__ import annotations

from app.accounts.access import audit_log
from app.accounts.access.callers import UserCaller
from app.accounts.access.workspace_access import WorkspaceAccess, workspace_for
from app.accounts.people.users import lock_joining_user
from app.accounts.security.secrets import token_hash
from app.accounts.security.shared_errors import TokenExpired
from app.accounts.workspaces.invitations import is_open, require_invitee
from app.billing.payments.workspace_closing import require_open
from app.billing.subscriptions.seats import require_seat
from app.catalog import Catalog
from app.db.engine import Session
from app.db.tables.workspaces import InvitationRow, MembershipRow
from app.errors import IdempotencyConflict, NotFound
from app.idempotency import KEYS_KEPT
from app.store import billing_accounts as billing_account_store
from app.store import invitations as invitation_store
from app.store import memberships as membership_store
from app.store import subscriptions as subscription_store
from app.store import workspaces as workspace_store

_PATH = ("input", "token")


async def accept_invitation(
    session: Session, catalog: Catalog, caller: UserCaller, token: str, idempotency_key: str
) -> WorkspaceAccess | None:
    """Accept the invitation of a mailed link; returns the workspace as the caller may use it now.

    A caller who is a member already keeps their role, and the invitation is used up. A replay with the same idempotency key returns
    the present state, None where the caller has left since; so does another key while the caller is a member. Raises `TokenExpired`
    for a link that is unknown, used, revoked or expired, and for one whose sender may no longer give its role; `EmailUnverified`,
    `SeatsInUse`, `IdempotencyConflict`; and `WorkspaceClosing` and `AccountClosing` for a workspace or a person that is being
    deleted.
    """
    await lock_joining_user(session, caller.user_id)
    row = await _locked_invitation(session, token)
    done = await invitation_store.accepted_with(session, caller.user_id, idempotency_key)
    if done is not None:
        if row is None or row.id != done.id:
            raise IdempotencyConflict
        return await _present_state(session, caller, row)
    if row is not None and row.accepted_by == caller.user_id:
        present = await _present_state(session, caller, row)
        if present is not None:
            return present
    if row is None or not is_open(session, row):
        raise TokenExpired(path=_PATH)
    # the workspace is locked, so a deletion either began before and is seen here, or will see the new member
    require_open(await billing_account_store.find(session, row.workspace_id))
    await require_invitee(session, caller, row, lock=True)
    membership = await membership_store.find(session, row.workspace_id, caller.user_id)
    if membership is None:
        await require_seat(session, catalog, row.workspace_id)
        await _join(session, caller, row)
    await _use_up(session, caller, row, idempotency_key)
    await audit_log.record(
        session,
        row.workspace_id,
        audit_log.actor_of(caller),
        "invitation.accepted",
        "An invitation was accepted." if membership is None else "An invitation was accepted by a member.",
        before={"role": membership.role if membership is not None else None},
        after={"role": membership.role if membership is not None else row.role, "invitation": str(row.id)},
    )
    return await workspace_for(session, caller, row.workspace_id)


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


async def _join(session: Session, caller: UserCaller, row: InvitationRow) -> None:
    membership = MembershipRow(
        workspace_id=row.workspace_id, user_id=caller.user_id, role=row.role, joined_at=session.now
    )
    await workspace_store.add_member(session, membership)
    await subscription_store.shown_changed(session, [row.workspace_id])


async def _use_up(session: Session, caller: UserCaller, row: InvitationRow, idempotency_key: str) -> None:
    """Use the invitation up: its link no longer works. The row stays, without the address, so that a replay is recognized."""
    row.address = row.address_key = None
    row.accepted_by = caller.user_id
    row.accepted_at = session.now
    row.idempotency_key = idempotency_key
    row.expires_at = session.now + KEYS_KEPT
    await session.flush()
