"""Erasing a person or a workspace: what is kept are ids, the ledger, the invoices, and keyed hashes that guard against abuse."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from cryptography.fernet import InvalidToken

from app.accounts.access import audit_log
from app.accounts.access.audit_log import Actor
from app.accounts.avatars.user_avatars import discard_avatar
from app.accounts.people import oidc_identities
from app.accounts.people.handles import give_up_handle
from app.accounts.people.password_changes import MAIL_RESET_LINK
from app.accounts.security.secrets import Keys
from app.db.engine import Session
from app.db.tables.workspaces import WorkspaceRow
from app.messages.mail import SEND_MAIL, decrypt, is_about, queued_mail
from app.store import customers as customer_store
from app.store import erasure as erasure_store


async def erase_person(session: Session, keys: Keys, user_id: UUID, workspaces: Sequence[WorkspaceRow]) -> None:
    """Erase a user and the workspaces deleted with them, which are locked: the personal one, and those without another member."""
    verified = set(await erasure_store.addresses_of(session, user_id, verified=True))
    claimed = set(await erasure_store.addresses_of(session, user_id, verified=False))
    await oidc_identities.block_earlier_tokens(session, user_id, keys.abuse_key)
    await discard_avatar(session, user_id)
    await _erase_inbox_messages(session, keys, workspaces, claimed)
    await erasure_store.clear_inbox_about(session, verified)
    await _drop_mails(session, keys, user_id, verified)
    await _erase_workspace_records(
        session, keys, Actor(user_id=user_id), workspaces, "account.deleted", "The account was deleted."
    )
    ids = [workspace.id for workspace in workspaces]
    # only for verified addresses: an unverified one may be somebody else's, whose sign-ups must stay
    await erasure_store.erase_rows(session, user_id=user_id, workspace_ids=ids, addresses=verified)


async def erase_workspace(session: Session, keys: Keys, actor: Actor, workspace: WorkspaceRow) -> None:
    """Erase a locked workspace; the accounts of its members stay."""
    await _erase_inbox_messages(session, keys, [workspace], ())
    await _erase_workspace_records(session, keys, actor, [workspace], "workspace.deleted", "The workspace was deleted.")
    await erasure_store.erase_rows(session, user_id=None, workspace_ids=[workspace.id], addresses=())


async def _erase_workspace_records(
    session: Session, keys: Keys, actor: Actor, workspaces: Sequence[WorkspaceRow], action: str, summary: str
) -> None:
    ids = [workspace.id for workspace in workspaces]
    await erasure_store.blank_audit(session, ids)
    await erasure_store.blank_purchase_keys(session, ids)
    await customer_store.forget_details(session, ids)
    for workspace in workspaces:
        await give_up_handle(session, keys.abuse_key, workspace)
        await audit_log.record(session, workspace.id, actor, action, summary)
        # its row is deleted by a statement below: the session must not write it after that
        await session.flush()
        session.expunge(workspace)


async def _erase_inbox_messages(
    session: Session, keys: Keys, workspaces: Sequence[WorkspaceRow], claimed: Collection[str]
) -> None:
    hashes = await erasure_store.phone_hashes(session, [workspace.id for workspace in workspaces])
    texted = {
        number
        for number in await erasure_store.texted_numbers(session)
        if not hashes.isdisjoint(keys.phones.hashes(number))
    }
    await erasure_store.clear_inbox(session, {*claimed, *texted})


async def _drop_mails(session: Session, keys: Keys, user_id: UUID, verified: Collection[str]) -> None:
    """Remove the queued mails that are about the account, or to an address that the person has verified."""
    waiting = await erasure_store.queued(session, (SEND_MAIL, MAIL_RESET_LINK))
    job_ids = [
        job_id
        for job_id, task, arguments in waiting
        if is_about(arguments, user_id) or _addressee(task, arguments, keys) in verified
    ]
    await erasure_store.drop_jobs(session, job_ids)


def _addressee(task: str, arguments: Mapping[str, str], keys: Keys) -> str | None:
    try:
        return (queued_mail(arguments, keys.mail).to if task == SEND_MAIL else decrypt(arguments, keys.mail)).lower()
    except InvalidToken:
        # encrypted with another secret key: it can't be read
        return None
