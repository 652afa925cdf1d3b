"""Deleting one's account, or an organization, for good."""

from __future__ import annotations

from app.accounts.access.callers import require_user
from app.accounts.access.permissions import WorkspacePermission
from app.accounts.access.workspace_access import workspace_for
from app.accounts.people.reauthentication import reauthenticate, send_code
from app.accounts.security.text_input import trimmed
from app.db.engine import Session
from app.db.tables.workspaces import WorkspaceRow
from app.errors import InvalidInput, NotFound
from app.flows.deletion import deletions
from app.store import workspaces as workspace_store
from resolvers import global_ids
from resolvers.context import Context, NewCookie
from resolvers.users import viewer_of

_CONFIRM = ("input", "confirmHandle")


async def send_reauthentication_code(context: Context) -> None:
    """Mail a code that stands in for the password of an account without one."""
    runtime = context.runtime
    await send_code(runtime.database, runtime.keys, runtime.rate_limits, require_user(context.caller))


async def delete_account(context: Context, confirm_handle: str, password: str | None, code: str | None) -> None:
    """Delete the person who is asking, for good."""
    caller, runtime = require_user(context.caller), context.runtime
    found = await viewer_of(context, caller)
    _check_typed_out(confirm_handle, found.user.handle)
    await reauthenticate(
        runtime.database,
        runtime.passwords,
        runtime.keys,
        runtime.rate_limits,
        caller,
        password=password,
        code=code,
    )
    await deletions.delete_account(context.runtime.flow_context, runtime.keys, caller.user_id)
    context.new_cookies.append(NewCookie(None))


async def delete_workspace(context: Context, workspace_id: str, confirm_handle: str) -> None:
    """Delete an organization of which the person is an owner, for good."""
    caller = require_user(context.caller)
    wanted = global_ids.workspace_id(workspace_id)

    async def authorize(session: Session) -> WorkspaceRow:
        workspace = await workspace_store.lock(session, wanted)
        access = await workspace_for(
            session, caller, wanted, permission=WorkspacePermission.MANAGE_WORKSPACE, lock=True
        )
        if workspace is None:
            raise NotFound
        if access.workspace.kind == "PERSONAL":
            raise InvalidInput(
                "A personal workspace goes with its account: delete that.", path=("input", "workspaceId")
            )
        _check_typed_out(confirm_handle, access.workspace.handle)
        return workspace

    await deletions.delete_workspace(context.runtime.flow_context, context.runtime.keys, caller.user_id, authorize)


def _check_typed_out(typed: str, handle: str) -> None:
    if trimmed(typed) != handle:
        raise InvalidInput("Type the handle out exactly as it is shown.", path=_CONFIRM)
