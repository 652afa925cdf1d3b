"""The address that an identity provider tells of somebody who has an account: added, made primary, and the former one not trusted.

Whoever has an address that is verified can choose a new password by it. So an address that is verified by the issuer's word alone
stays that only as long as the issuer's newest token tells it: at the provider it may belong to somebody else by now.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from app.accounts.access import audit_log
from app.accounts.access.audit_log import Actor
from app.accounts.people.email_addresses import MOST_ADDRESSES
from app.accounts.people.email_syntax import EmailAddress
from app.accounts.people.milestones import Milestones
from app.accounts.people.users import find_user
from app.accounts.security.secrets import Keys
from app.db.engine import Session
from app.ids import uuid7
from app.messages import message_texts
from app.messages.mail import queue_mail
from app.oidc.tokens import TokenClaims
from app.store import email_addresses as email_address_store
from app.store import mailed_links as mailed_link_store
from app.store import oidc_identities as oidc_identity_store
from app.store import users as user_store
from app.store.oidc_identities import KnownIdentity, ToldAddress


@dataclass(frozen=True, slots=True)
class ToldEmail:
    """An address that the issuer calls verified, told by a token whose time of issue is known."""

    email: EmailAddress
    told: ToldAddress


async def find_identity(session: Session, claims: TokenClaims, told: ToldEmail | None) -> KnownIdentity | None:
    """Whose the identity of a token is, if it is known, and whether `take_told_address` has something to do."""
    return await oidc_identity_store.find(
        session,
        claims.issuer,
        claims.subject,
        told=told.told if told is not None else None,
        most_addresses=MOST_ADDRESSES,
    )


async def take_told_address(
    session: Session, keys: Keys, claims: TokenClaims, told: ToldEmail, milestones: Milestones | None = None
) -> None:
    """Have the account follow its issuer to the address that is told, once however many tokens tell it at once.

    The address is added unless another account has verified it or there are `MOST_ADDRESSES`. Addresses that are verified by this
    issuer's word alone become unverified, and what was mailed to them is useless. Where the primary one is among them, or there was
    none, the new one becomes primary, or else the oldest that is verified still. The audit log has it without the address.
    """
    known = await find_identity(session, claims, None)
    if known is None or await email_address_store.lock_user(session, known.user_id) is None:
        return
    user_id = known.user_id
    known = await find_identity(session, claims, told)
    if known is None or not known.is_address_due:
        return
    emails = await user_store.emails_of(session, user_id)
    former = next((row.address for row in emails if row.is_primary), None)
    was_verified = any(row.address_key == told.email.key and row.verified_at is not None for row in emails)
    is_first = all(row.verified_at is None for row in emails)
    distrusted = await oidc_identity_store.distrust_others(session, user_id, claims.issuer, address_key=told.email.key)
    if distrusted:
        await mailed_link_store.forget_resets(session, user_id)
        await mailed_link_store.forget_verifications(session, distrusted)
    added = None if known.is_address_taken else await _add(session, claims, told.email, user_id, distrusted)
    await oidc_identity_store.note_told(session, claims.issuer, claims.subject, told.told.at)
    chosen = await _choose_primary(session, user_id, added)
    await _record(session, user_id, is_added=added is not None, is_distrusted=bool(distrusted))
    if milestones is not None and added is not None and not was_verified:
        await milestones.address_verified(session, user_id, told.email.key, is_first=is_first)
    if former is not None:
        is_new = added is not None and not was_verified
        await _mail(session, keys, user_id, former=former, chosen=chosen, is_new=is_new)


async def _add(
    session: Session, claims: TokenClaims, email: EmailAddress, user_id: UUID, distrusted: Sequence[UUID]
) -> UUID | None:
    """Add the address as verified by the issuer's word, and return its id; in place of `distrusted` ones where there is no room."""
    emails = await user_store.emails_of(session, user_id)
    if all(row.address_key != email.key for row in emails) and len(emails) >= MOST_ADDRESSES:
        if not distrusted:
            return None
        for email_id in distrusted:
            await email_address_store.remove(session, email_id)
    return await vouch_for(session, claims.issuer, user_id, email)


async def vouch_for(session: Session, issuer: str, user_id: UUID, email: EmailAddress) -> UUID | None:
    """Note an address of a user, new or not, as verified by the issuer's word, unless its holder has proven it; returns its id.

    None when another user has verified it.
    """
    return await oidc_identity_store.vouch(
        session,
        issuer,
        email_id=uuid7(),
        user_id=user_id,
        address=email.address,
        address_key=email.key,
        at=session.now,
    )


async def _choose_primary(session: Session, user_id: UUID, added: UUID | None) -> str | None:
    """Where no address is primary, make the one that was added so, or else the oldest that is verified, and return it."""
    emails = await user_store.emails_of(session, user_id)
    if any(row.is_primary for row in emails):
        return None
    verified = [row for row in emails if row.verified_at is not None]
    chosen = next((row for row in verified if row.id == added), next(iter(verified), None))
    if chosen is None:
        return None
    await email_address_store.make_primary(session, user_id, chosen.id)
    return chosen.address


async def _record(session: Session, user_id: UUID, *, is_added: bool, is_distrusted: bool) -> None:
    found = await user_store.with_personal_workspace(session, user_id)
    if found is not None:
        summary = "The identity provider told an e-mail address of the account."
        after = {"isAdded": is_added, "isFormerUnverified": is_distrusted}
        await audit_log.record(
            session, found[1].id, Actor(user_id=user_id), "identity.email_told", summary, after=after
        )


async def _mail(session: Session, keys: Keys, user_id: UUID, *, former: str, chosen: str | None, is_new: bool) -> None:
    """Tell the primary address what changed; nothing goes to the one that is not trusted any more, which may be somebody else's."""
    user = await find_user(session, user_id)
    if user is None:
        return
    if chosen is not None:
        queue_mail(session, message_texts.primary_address_replaced(chosen, user.handle), keys.mail, about=user_id)
    elif is_new:
        queue_mail(session, message_texts.address_added(former, user.handle), keys.mail, about=user_id)
