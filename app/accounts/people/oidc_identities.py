"""Signing in with the host product's identity provider: finding the user of a token, and the account made at the first sign-in.

A user is found by issuer and subject. At the first sign-in, an existing account is linked only by an address that the issuer calls
verified, and only if the issuer does not know its user by another subject. An unverified address is not looked up at all, so that
nobody can learn by it whether it has an account.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog

from app.accounts.access import audit_log
from app.accounts.access.audit_log import Actor
from app.accounts.access.callers import ANONYMOUS, Caller, UserCaller
from app.accounts.people.email_syntax import EmailAddress, parse_email
from app.accounts.people.handles import HandleInvalid, check_handle
from app.accounts.people.issuer_addresses import ToldEmail, find_identity, take_told_address, vouch_for
from app.accounts.people.milestones import Milestones
from app.accounts.people.users import MOST_NAME_CHARACTERS, NewUser, create_user
from app.accounts.security.secrets import HashKeys, Keys
from app.accounts.security.shared_errors import EmailTaken
from app.accounts.security.text_input import cleaned_line
from app.db.engine import Database, Session
from app.db.tables.people import IdentityRow
from app.db.unit_of_work import transact
from app.errors import InvalidInput, Unavailable
from app.oidc.issuer import Issuer
from app.oidc.tokens import LEEWAY_SECONDS, Profile, TokenClaims
from app.store import oidc_identities as oidc_identity_store
from app.store import users as user_store
from app.store.oidc_identities import ToldAddress

# How long a hash of a deleted account's identity is kept. Older tokens open no account, so it need not be kept longer.
ERASED_LIFETIME: Final = timedelta(days=30)

_LEEWAY: Final = timedelta(seconds=LEEWAY_SECONDS)
_TRIES: Final = 3

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Opening:
    """What opening an account needs beside the claims."""

    abuse_key: HashKeys
    milestones: Milestones | None


class _OfAnotherSubject(Exception):  # not an error: the account is made in another way
    """The account with the verified address has an identity of this issuer, with another subject."""


async def authenticate(
    database: Database, issuer: Issuer, keys: Keys, token: str, milestones: Milestones | None = None
) -> Caller:
    """The user of a token of the issuer, who gets an account at the first sign-in; `Anonymous` for any other token.

    An account follows its issuer to another verified address (see `take_told_address`), but for tokens without time of issue.
    `keys` hash the identities of deleted accounts, and encrypt mails; `milestones` are told of verified addresses. Raises
    `IssuerUnavailable` when the issuer must be asked and can't be reached.
    """
    claims = await issuer.verify(token, database.clock.real_now())
    if claims is None:
        return ANONYMOUS
    told = _told_email(claims)
    async with database.read() as session:
        known = await find_identity(session, claims, told)
        may_open_account = known is not None or await _may_open_account(session, keys.abuse_key, claims)
    if known is None:
        opening = _Opening(keys.abuse_key, milestones)
        user_id = await _first_sign_in(database, issuer, opening, token, claims) if may_open_account else None
        return ANONYMOUS if user_id is None else UserCaller(user_id, None, claims.expires_at)
    if told is not None and known.is_address_due:
        await transact(
            database,
            lambda session: take_told_address(session, keys, claims, told, milestones),
            step="identity.email",
        )
    if known.is_address_taken and issuer.is_first_warning(claims.subject):
        _log.warning("identity.address_taken", hint="another account has verified the address: it was not added")
    return UserCaller(known.user_id, None, claims.expires_at)


async def block_earlier_tokens(session: Session, user_id: UUID, abuse_key: HashKeys) -> None:
    """Keep tokens that were issued until now from opening an account again: called by the deletion of the user's account.

    Keeps a hash of each identity, made with `abuse_key`, for `ERASED_LIFETIME`.
    """
    identities = await oidc_identity_store.of_user(session, user_id)
    hashes = [abuse_key.hash(*_guarded(row.issuer, row.subject)) for row in identities]
    await oidc_identity_store.lock(session, hashes)
    now = session.real_now
    await oidc_identity_store.remember_erased(session, hashes, erased_at=now, expires_at=now + ERASED_LIFETIME)


async def _first_sign_in(
    database: Database, issuer: Issuer, opening: _Opening, token: str, claims: TokenClaims
) -> UUID | None:
    profile = await issuer.profile(token, claims)
    email = _email_of(profile)
    if email is None:
        if issuer.is_first_warning(claims.subject):
            _log.warning("identity.without_address", hint="the issuer names no e-mail address: ask for its email scope")
        return None
    new = _new_user(profile, email, claims.issuer)
    for _ in range(_TRIES):
        try:
            return await _sign_in_new(database, opening, claims, new)
        except EmailTaken:
            # an account has just verified the address: the next attempt finds it
            continue
        except _OfAnotherSubject:
            hint = (
                "the provider told an address of somebody it knows by another subject: they get an account without it"
            )
            _log.warning("identity.second_subject", hint=hint)
            return await _sign_in_new(database, opening, claims, replace(new, is_email_verified=False))
    raise Unavailable


async def _sign_in_new(database: Database, opening: _Opening, claims: TokenClaims, new: NewUser) -> UUID | None:
    return await transact(
        database,
        lambda session: _find_or_create_user(session, opening, claims, new),
        step="identity.first-sight",
    )


async def _find_or_create_user(session: Session, opening: _Opening, claims: TokenClaims, new: NewUser) -> UUID | None:
    abuse_key = opening.abuse_key
    await oidc_identity_store.lock(session, [abuse_key.hash(*_guarded(claims.issuer, claims.subject))])
    known = await find_identity(session, claims, None)
    if known is not None:
        return known.user_id
    if not await _may_open_account(session, abuse_key, claims):
        return None
    user_id = await _link(session, claims, new) if new.is_email_verified else None
    if user_id is None:
        user_id = (await create_user(session, abuse_key, new, opening.milestones)).id
    row = IdentityRow(
        issuer=claims.issuer,
        subject=claims.subject,
        user_id=user_id,
        email_told_at=claims.issued_at if new.is_email_verified else None,
        created_at=session.now,
    )
    await oidc_identity_store.add(session, row)
    return user_id


async def _link(session: Session, claims: TokenClaims, new: NewUser) -> UUID | None:
    """The user who has verified the address, whom the issuer vouches for from now on; None where nobody has.

    Raises `_OfAnotherSubject` where the issuer knows them by another subject: there the address has passed to another person.
    """
    user_id = await oidc_identity_store.lock_user_with_address(session, new.email.key)
    if user_id is None:
        return None
    if await oidc_identity_store.has_identity(session, user_id, claims.issuer):
        raise _OfAnotherSubject
    await vouch_for(session, claims.issuer, user_id, new.email)
    await _record_link(session, user_id)
    return user_id


async def _record_link(session: Session, user_id: UUID) -> None:
    found = await user_store.with_personal_workspace(session, user_id)
    if found is not None:
        summary = "The account can now be signed in to through the identity provider, which verified its address."
        await audit_log.record(session, found[1].id, Actor(user_id=user_id), "identity.linked", summary)


async def _may_open_account(session: Session, abuse_key: HashKeys, claims: TokenClaims) -> bool:
    """Whether a token may open an account: issued after the deletion of an earlier one, even if clocks differ by `_LEEWAY`."""
    if claims.issued_at is None or claims.issued_at <= session.real_now - ERASED_LIFETIME:
        return False
    hashes = abuse_key.hashes(*_guarded(claims.issuer, claims.subject))
    erased: datetime | None = await oidc_identity_store.erased_at(session, hashes, at=session.real_now)
    return erased is None or claims.issued_at > erased + _LEEWAY


def _new_user(profile: Profile, email: EmailAddress, issuer: str) -> NewUser:
    return NewUser(
        email=email,
        password_hash=None,
        handle=_handle_of(profile),
        first_name=cleaned_line(profile.given_name, at_most=MOST_NAME_CHARACTERS),
        last_name=cleaned_line(profile.family_name, at_most=MOST_NAME_CHARACTERS),
        is_email_verified=profile.is_email_verified,
        vouched_by=issuer,
    )


def _told_email(claims: TokenClaims) -> ToldEmail | None:
    """The address that the token calls verified; None without a time of issue, since an older token may tell a former address."""
    email = _email_of(claims.profile) if claims.profile.is_email_verified else None
    if email is None or claims.issued_at is None:
        return None
    return ToldEmail(email, ToldAddress(email.key, claims.issued_at))


def _email_of(profile: Profile) -> EmailAddress | None:
    try:
        return parse_email(profile.email or "")
    except InvalidInput:
        return None


def _handle_of(profile: Profile) -> str | None:
    try:
        return check_handle(profile.preferred_username or "")
    except HandleInvalid:
        return None


def _guarded(issuer: str, subject: str) -> tuple[str, str, str]:
    """The parts of what is hashed of an identity."""
    return "identity", issuer, subject
