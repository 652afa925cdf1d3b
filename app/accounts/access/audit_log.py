"""The audit log of a workspace: who did what, when, and what was before and after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from app.accounts.access.callers import Caller, KeyCaller, UserCaller
from app.db.engine import Session
from app.db.tables.access import AuditEventRow
from app.ids import uuid7
from app.store import audit_log as audit_log_store


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it: a user or a key by id, never by name, since the log is kept when either is deleted; or, as `label`, the system
    or an operator."""

    user_id: UUID | None = None
    key_id: UUID | None = None
    label: str | None = None


SYSTEM = Actor(label="system")
# somebody who runs the service, with the command line
OPERATOR = Actor(label="operator")


def actor_of(caller: Caller) -> Actor:
    """The actor for a caller; an anonymous one is the system."""
    match caller:
        case UserCaller():
            return Actor(user_id=caller.user_id)
        case KeyCaller():
            return Actor(key_id=caller.key_id)
        case _:
            return SYSTEM


async def record(
    session: Session,
    workspace_id: UUID,
    actor: Actor,
    action: str,
    summary: str,
    *,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
    subject: UUID | None = None,
) -> None:
    """Write an event to the log, in the transaction that makes the change.

    `action` is for programs (`phone.verified`), `summary` for people; `before` and `after` hold only what changed, as JSON, and
    none of them a secret, a person's name or an address. `subject` is the user to whom it was done, where that is not the actor.
    """
    changed = before is not None or after is not None
    row = AuditEventRow(
        workspace_id=workspace_id,
        id=uuid7(),
        at=session.now,
        actor_user_id=actor.user_id,
        actor_key_id=actor.key_id,
        actor_label=actor.label,
        subject_user_id=subject,
        action=action,
        summary=summary,
        detail={"before": before, "after": after} if changed else None,
    )
    await audit_log_store.add(session, row)
