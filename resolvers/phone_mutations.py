"""Verifying the phone of a workspace."""

from __future__ import annotations

from uuid import UUID

from app.accounts.access.callers import require_user
from app.accounts.access.workspace_access import WorkspaceAccess
from app.accounts.workspaces import phone_verification
from app.accounts.workspaces.phone_verification import PhoneToVerify
from resolvers import global_ids
from resolvers.context import Context


async def send_phone_verification(context: Context, workspace_id: str, phone_number: str, region: str | None) -> None:
    """Text a code to a number that is to be verified for a workspace."""
    runtime = context.runtime
    await phone_verification.send_code(
        runtime.database,
        runtime.sms_sender,
        runtime.keys,
        runtime.rate_limits,
        context.caller,
        PhoneToVerify(_workspace_id(context, workspace_id), phone_number, region),
        remote_address=context.remote_address,
        countries=runtime.phone_countries,
    )


async def verify_phone(
    context: Context, workspace_id: str, phone_number: str, region: str | None, code: str
) -> WorkspaceAccess:
    """Verify a number for a workspace with the code that was texted."""
    runtime = context.runtime
    phone = PhoneToVerify(_workspace_id(context, workspace_id), phone_number, region)
    return await phone_verification.verify_phone(
        runtime.database, runtime.sms_sender, runtime.keys, context.caller, phone, code
    )


def _workspace_id(context: Context, workspace_id: str) -> UUID:
    # nobody learns whether an id is one
    require_user(context.caller)
    return global_ids.workspace_id(workspace_id)
