"""Workspaces, who belongs to them, and the handles they go by."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import DateTime, Row, String, delete, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import aliased

from app.db.engine import Session
from app.db.reads import KeyedRead, Read
from app.db.tables.workspaces import HandleHoldRow, HandleRow, MembershipRow, WorkspaceRow
from app.store import customers as customer_store
from app.store.subscriptions import FALLBACK_SEATS, GIVEN_UNTIL_OF_MEMBERSHIP, SEATS_OF_MEMBERSHIP


class SeenWorkspace(NamedTuple):
    """A workspace, and the user who looks at it with their role there; None where it is no user who does.

    `acting_role` is the role whose permissions they have: an admin who holds no seat has a member's. From `role_until` on, if it is
    set, it is `role_after`: a given plan has ended then, whose seats some held.
    """

    id: UUID
    kind: str
    name: str
    handle: str
    external_id: str | None
    user_id: UUID | None
    role: str | None
    acting_role: str | None
    role_until: datetime | None = None
    role_after: str | None = None

    def acting_role_at(self, now: datetime | None) -> str | None:
        """The role whose permissions they have at a time; None for the time at which it was read, whatever has ended by then."""
        return acting_role_at(now, self.acting_role, self.role_until, self.role_after)


def acting_role_at(now: datetime | None, role: str | None, until: datetime | None, after: str | None) -> str | None:
    """A role that lasts until a time, and the one after it."""
    return after if now is not None and until is not None and until <= now else role


class UsageAnchor(NamedTuple):
    """What the usage periods of a workspace are counted from; see `WorkspaceRow`."""

    created_at: datetime
    usage_anchor: datetime | None
    usage_anchored_at: datetime | None


# Nobody but an admin is asked for a seat: owners keep their rights, and a member has none to lose.
_BEFORE_ADMIN: Final = (
    "(SELECT count(*) FROM memberships o WHERE o.workspace_id = m.workspace_id"
    " AND (o.role = 'OWNER' OR (o.joined_at, o.user_id) < (m.joined_at, m.user_id)))"
)
_ACTING_ROLE: Final = (
    f"CASE WHEN m.role <> 'ADMIN' THEN m.role WHEN {_BEFORE_ADMIN} >= {SEATS_OF_MEMBERSHIP}"
    " THEN 'MEMBER' ELSE m.role END"
)
_ROLE_UNTIL: Final = f"CASE WHEN m.role = 'ADMIN' THEN {GIVEN_UNTIL_OF_MEMBERSHIP} END"
_ROLE_AFTER: Final = (
    f"CASE WHEN m.role <> 'ADMIN' OR {GIVEN_UNTIL_OF_MEMBERSHIP} IS NULL THEN NULL"
    f" WHEN {_BEFORE_ADMIN} >= {FALLBACK_SEATS} THEN 'MEMBER' ELSE m.role END"
)
_SEEN: Final = "w.id, w.kind, w.name, w.handle, w.external_id"
_OF_MEMBER: Final = (
    f"{_SEEN}, m.user_id, m.role, {_ACTING_ROLE} AS acting_role, {_ROLE_UNTIL} AS role_until, {_ROLE_AFTER} AS role_after"
    " FROM memberships m JOIN workspaces w ON w.id = m.workspace_id"
)
_OF_NOBODY: Final = (
    f"{_SEEN}, NULL::uuid AS user_id, NULL::text AS role, NULL::text AS acting_role, NULL::timestamptz AS role_until,"
    " NULL::text AS role_after"
)

SEEN_BY_MEMBERS: Final = KeyedRead[tuple[UUID, UUID], SeenWorkspace](
    "workspace_seen_by_member",
    f"SELECT {_OF_MEMBER} JOIN unnest($1::uuid[], $2::uuid[]) k (id, user_id) ON m.workspace_id = k.id AND m.user_id = k.user_id",
    SeenWorkspace,
    lambda seen: (seen.id, seen.user_id or seen.id),
)
"""Workspaces by (workspace, user), for those who belong to them."""

SEEN_BY_HANDLE: Final = KeyedRead[tuple[str, UUID], SeenWorkspace](
    "workspace_seen_by_handle",
    f"SELECT {_OF_MEMBER} JOIN handles h ON h.workspace_id = w.id"
    " JOIN unnest($1::text[], $2::uuid[]) k (handle, user_id) ON h.key = k.handle AND m.user_id = k.user_id",
    SeenWorkspace,
    lambda seen: (seen.handle.lower(), seen.user_id or seen.id),
)
"""Workspaces by (handle in lower case, user), for those who belong to them."""

SEEN_BY_USER: Final = Read(
    "workspaces_of_user",
    f"SELECT {_OF_MEMBER} WHERE m.user_id = $1::uuid ORDER BY w.kind DESC, m.joined_at, w.id",
    SeenWorkspace,
)
"""The workspaces that a user belongs to, the personal one first, then in the order of joining."""

BY_ID: Final = KeyedRead[UUID, SeenWorkspace](
    "workspace",
    f"SELECT {_OF_NOBODY} FROM workspaces w WHERE w.id = ANY ($1::uuid[])",
    SeenWorkspace,
    lambda seen: seen.id,
)
BY_HANDLE: Final = KeyedRead[str, SeenWorkspace](
    "workspace_by_handle",
    f"SELECT {_OF_NOBODY} FROM handles h JOIN workspaces w ON w.id = h.workspace_id WHERE h.key = ANY ($1::text[])",
    SeenWorkspace,
    lambda seen: seen.handle.lower(),
)
BY_EXTERNAL_ID: Final = KeyedRead[str, SeenWorkspace](
    "workspace_by_external_id",
    f"SELECT {_OF_NOBODY} FROM workspaces w WHERE w.external_id = ANY ($1::text[])",
    SeenWorkspace,
    lambda seen: seen.external_id or "",
)


async def add(session: Session, workspace: WorkspaceRow) -> None:
    """Add a workspace whose handle was claimed."""
    session.add(workspace)
    await session.flush()


async def add_member(session: Session, membership: MembershipRow) -> None:
    """Add a member."""
    session.add(membership)
    await session.flush()
    await customer_store.mark_due(session, [membership.workspace_id])


async def rename(session: Session, workspace: WorkspaceRow, name: str) -> None:
    """Give a locked workspace another name."""
    workspace.name = name
    workspace.version += 1
    await customer_store.mark_due(session, [workspace.id])


async def get(session: Session, workspace_id: UUID) -> WorkspaceRow | None:
    """The workspace, if there is one."""
    return await session.get(WorkspaceRow, workspace_id)


async def lock(session: Session, workspace_id: UUID) -> WorkspaceRow | None:
    """The workspace, if there is one; nobody else changes it, or who belongs to it, before the transaction ends.

    Everyone who changes memberships locks here first and reads them then: so seats and owners are counted right.
    """
    query = select(WorkspaceRow).where(WorkspaceRow.id == workspace_id).with_for_update(key_share=True)
    return await session.scalar(query.execution_options(populate_existing=True))


async def usage_anchor(session: Session, workspace_id: UUID) -> UsageAnchor | None:
    """What the usage periods of a workspace are counted from; it changes only while the `usage_states` of it is locked."""
    row = WorkspaceRow
    query = select(row.created_at, row.usage_anchor, row.usage_anchored_at).where(row.id == workspace_id)
    found = (await session.execute(query)).one_or_none()
    return UsageAnchor(*found) if found is not None else None


async def anchor_usage(session: Session, workspace_id: UUID, started_at: datetime) -> None:
    """Count the usage periods of a workspace from its first subscription's start on, unless they are counted from one already."""
    anchored = update(WorkspaceRow).where(WorkspaceRow.id == workspace_id, WorkspaceRow.usage_anchor.is_(None))
    anchored = anchored.values(usage_anchor=started_at, usage_anchored_at=session.now)
    await session.execute(anchored.execution_options(synchronize_session="evaluate"))


async def with_role(
    session: Session, workspace_id: UUID, user_id: UUID, *, lock: bool
) -> tuple[WorkspaceRow, str, str | None] | None:
    """The workspace, the user's role there and the role whose permissions they have (see `SeenWorkspace`); None for outsiders.

    With `lock` the membership can be neither changed nor taken away until the transaction ends.
    """
    theirs = aliased(MembershipRow, name="m")
    query = (
        select(
            WorkspaceRow,
            theirs.role,
            literal_column(_ACTING_ROLE, String),
            literal_column(_ROLE_UNTIL, DateTime(timezone=True)),
            literal_column(_ROLE_AFTER, String),
        )
        .join(theirs, theirs.workspace_id == WorkspaceRow.id)
        .where(WorkspaceRow.id == workspace_id, theirs.user_id == user_id)
    )
    if lock:
        query = query.with_for_update(read=True, of=theirs)
    found = (await session.execute(query)).one_or_none()
    return (found[0], found[1], acting_role_at(session.now, *found[2:])) if found is not None else None


async def of_user(session: Session, user_id: UUID) -> Sequence[Row[WorkspaceRow, str]]:
    """The workspaces a user belongs to and the role in each, the personal one first, then in the order of joining."""
    query = (
        select(WorkspaceRow, MembershipRow.role)
        .join(MembershipRow, MembershipRow.workspace_id == WorkspaceRow.id)
        .where(MembershipRow.user_id == user_id)
        .order_by(WorkspaceRow.kind.desc(), MembershipRow.joined_at, WorkspaceRow.id)
    )
    return (await session.execute(query)).all()


async def personal_of(session: Session, user_id: UUID) -> UUID | None:
    """The user's personal workspace."""
    personal = (WorkspaceRow.created_by == user_id) & (WorkspaceRow.kind == "PERSONAL")
    return await session.scalar(select(WorkspaceRow.id).where(personal))


async def id_by_handle(session: Session, key: str) -> UUID | None:
    """The workspace that goes by a handle, given in lower case."""
    return await session.scalar(select(HandleRow.workspace_id).where(HandleRow.key == key))


async def set_external_id(session: Session, workspace_id: UUID, external_id: str | None) -> bool:
    """Let the host product know the workspace by this id; False when it knows another by it.

    Waits for a transaction that is just taking the same id.
    """
    change = update(WorkspaceRow).where(WorkspaceRow.id == workspace_id).values(external_id=external_id)
    try:
        # a savepoint, since the transaction goes on after an id that is taken
        async with session.begin_nested():
            await session.execute(change.execution_options(synchronize_session="evaluate"))
    except IntegrityError:
        return False
    return True


async def free_handle(session: Session, workspace_id: UUID) -> None:
    """Give up the handle of a workspace, which claims another one in the same transaction."""
    await session.execute(delete(HandleRow).where(HandleRow.workspace_id == workspace_id))


async def claim_handle(session: Session, key: str, workspace_id: UUID) -> bool:
    """Take a handle, given in lower case, for a workspace; False when another has it.

    Waits for a transaction that is just taking it; the workspace itself may be added later in this one.
    """
    claim = insert(HandleRow).values(key=key, workspace_id=workspace_id)
    claimed = await session.execute(
        claim.on_conflict_do_nothing(index_elements=[HandleRow.key]).returning(HandleRow.key)
    )
    return claimed.one_or_none() is not None


async def hold_handle(session: Session, handle_hash: bytes, workspace_id: UUID, *, until: datetime) -> None:
    """Keep a handle, of which only a keyed hash is kept, for the workspace that gave it up."""
    values = {"workspace_id": workspace_id, "held_until": until}
    held = insert(HandleHoldRow).values(handle_hash=handle_hash, **values)
    await session.execute(held.on_conflict_do_update(index_elements=[HandleHoldRow.handle_hash], set_=values))


async def handle_hold(session: Session, hashes: Sequence[bytes], *, at: datetime) -> HandleHoldRow | None:
    """For whom a handle is kept at a time, if for anybody; `hashes` are all that may be stored of it."""
    query = select(HandleHoldRow).where(HandleHoldRow.handle_hash.in_(hashes), HandleHoldRow.held_until > at)
    return await session.scalar(query.order_by(HandleHoldRow.held_until.desc()).limit(1))


async def forget_handle_holds(session: Session, *, at: datetime) -> None:
    """Forget the handles that are kept for nobody any more."""
    await session.execute(delete(HandleHoldRow).where(HandleHoldRow.held_until <= at))
