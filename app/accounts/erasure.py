"""Erasing a person or a workspace for good: what is left are ids, books, and keyed hashes that guard against abuse."""

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
from app.accounts.workspaces.phone_numbers import number_hash
from app.db.engine import Session
from app.db.tables.workspaces import WorkspaceRow
from app.messages.mail import SEND_MAIL, decrypt, is_about, queued_mail
from app.store import erasure as erasure_store


async def erase_person(session: Session, keys: Keys, user_id: UUID, workspaces: Sequence[WorkspaceRow]) -> None:
    """Erase a user and the locked workspaces that go with them: the personal one, and those nobody else belongs to."""
    proven = set(await erasure_store.addresses_of(session, user_id, verified=True))
    named = set(await erasure_store.addresses_of(session, user_id, verified=False))
    await oidc_identities.forget(session, user_id, keys.abuse_key)
    await discard_avatar(session, user_id)
    await _erase_messages(session, keys, workspaces, named)
    await _drop_mails(session, keys, user_id, proven)
    await _leave_workspaces(
        session, keys, Actor(user_id=user_id), workspaces, "account.deleted", "The account was deleted."
    )
    ids = [workspace.id for workspace in workspaces]
    # an address that was only claimed may be somebody else's: what waits for its real owner is left alone
    await erasure_store.erase_rows(session, user_id=user_id, workspace_ids=ids, addresses=proven)


async def erase_workspace(session: Session, keys: Keys, actor: Actor, workspace: WorkspaceRow) -> None:
    """Erase a locked workspace; the people who belonged to it stay."""
    await _erase_messages(session, keys, [workspace], ())
    await _leave_workspaces(session, keys, actor, [workspace], "workspace.deleted", "The workspace was deleted.")
    await erasure_store.erase_rows(session, user_id=None, workspace_ids=[workspace.id], addresses=())


async def _leave_workspaces(
    session: Session, keys: Keys, actor: Actor, workspaces: Sequence[WorkspaceRow], action: str, summary: str
) -> None:
    ids = [workspace.id for workspace in workspaces]
    await erasure_store.blank_audit(session, ids)
    await erasure_store.blank_purchase_keys(session, ids)
    for workspace in workspaces:
        await give_up_handle(session, keys.abuse_key, workspace)
        await audit_log.record(session, workspace.id, actor, action, summary)
        # rows are deleted by statement: none of this one is to be written any more
        await session.flush()
        session.expunge(workspace)


async def _erase_messages(
    session: Session, keys: Keys, workspaces: Sequence[WorkspaceRow], named: Collection[str]
) -> None:
    hashes = await erasure_store.phone_hashes(session, [workspace.id for workspace in workspaces])
    texted = {
        number for number in await erasure_store.texted_numbers(session) if number_hash(keys.phones, number) in hashes
    }
    await erasure_store.clear_inbox(session, {*named, *texted})


async def _drop_mails(session: Session, keys: Keys, user_id: UUID, proven: Collection[str]) -> None:
    """Let no mail go any more that is about the account or to an address proven to be the person's."""
    waiting = await erasure_store.queued(session, (SEND_MAIL, MAIL_RESET_LINK))
    theirs = [
        job_id
        for job_id, task, arguments in waiting
        if is_about(arguments, user_id) or _addressee(task, arguments, keys) in proven
    ]
    await erasure_store.drop_jobs(session, theirs)


def _addressee(task: str, arguments: Mapping[str, str], keys: Keys) -> str | None:
    try:
        return (queued_mail(arguments, keys.mail).to if task == SEND_MAIL else decrypt(arguments, keys.mail)).lower()
    except InvalidToken:
        # queued under another secret key: nobody can read it any more
        return None
