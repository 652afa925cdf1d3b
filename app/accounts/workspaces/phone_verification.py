"""Verifying a workspace's phone number with a code that is sent to it, and reading the verified number."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from app.accounts.access import audit_log
from app.accounts.access.callers import Caller, UserCaller, require_user
from app.accounts.access.permissions import WorkspacePermission
from app.accounts.access.workspace_access import WorkspaceAccess, workspace_for
from app.accounts.security.rate_limits import Limit, RateLimits, count_unless_refused, network_of
from app.accounts.security.secrets import Keys
from app.accounts.security.shared_errors import CodeExpired, CodeWrong
from app.accounts.security.text_input import pasted_code
from app.accounts.workspaces.phone_numbers import last_digits, parse_number
from app.db.engine import Database, Session
from app.db.tables.workspaces import PhoneRow, PhoneUseRow
from app.db.unit_of_work import transact
from app.error_codes import ErrorCode
from app.errors import DomainError, InvalidInput
from app.messages.sms_codes import CODE_DIGITS, CODE_LIFETIME, CodeGone, SmsSender
from app.store import phones as phone_store

PER_NUMBER = Limit("phone-code:number", most=5, per_seconds=3_600)
PER_WORKSPACE = Limit("phone-code:workspace", most=5, per_seconds=3_600)
PER_NETWORK = Limit("phone-code:network", most=20, per_seconds=3_600)
PER_NUMBER_A_DAY = Limit("phone-code:number-day", most=10, per_seconds=86_400)
PER_NETWORK_A_DAY = Limit("phone-code:network-day", most=50, per_seconds=86_400)

MOST_TRIES = 5
MOST_WORKSPACES = 3

# stored as the tries of a code that has verified its number
_TRIES_OF_USED_CODE = MOST_TRIES + 1
_CODE = re.compile(rf"[0-9]{{{CODE_DIGITS}}}")
# how long to wait for another call that has used the code and not yet stored that the number is verified
_WAIT_SECONDS = 0.5
_POLL_SECONDS = 0.05


class PhoneInUse(DomainError):
    """This phone number has verified as many workspaces as a number may. Use another number."""

    code = ErrorCode.PHONE_IN_USE


class PhoneUnverified(DomainError):
    """Verify a phone number for this workspace first."""

    code = ErrorCode.PHONE_UNVERIFIED


@dataclass(frozen=True, slots=True)
class PhoneToVerify:
    """A number to verify for a workspace, as it was typed: in E.164 form, or in the national form of `region`."""

    workspace_id: UUID
    phone_number: str
    region: str | None = None


async def send_code(
    database: Database,
    sms_sender: SmsSender,
    keys: Keys,
    limits: RateLimits,
    caller: Caller,
    phone: PhoneToVerify,
    *,
    remote_address: str,
    countries: Collection[str] = (),
) -> None:
    """Send a code to the number. It can be used for `CODE_LIFETIME`, in `MOST_TRIES` tries.

    For owners. `countries` are the regions that codes are sent to, empty for all. Raises `InvalidInput`, `RateLimited`,
    `Unavailable`, and what `workspace_for` raises. That the number has verified `MOST_WORKSPACES` already is an error of
    `verify_phone` only, for somebody who can read the code. A send that fails leaves an earlier code and its tries as they were.
    """
    user = require_user(caller)
    async with database.read() as session:
        await _authorize(session, user, phone.workspace_id)
    number = parse_number(phone.phone_number, phone.region, countries=countries)
    network = network_of(remote_address)
    uses = (
        (PER_NUMBER, number),
        (PER_NUMBER_A_DAY, number),
        (PER_WORKSPACE, str(phone.workspace_id)),
        (PER_NETWORK, network),
        (PER_NETWORK_A_DAY, network),
    )

    async def begin(session: Session) -> None:
        await _authorize(session, user, phone.workspace_id, lock=True)
        expires_at = session.real_now + CODE_LIFETIME
        phone_hash = keys.phones.hash(number)
        await phone_store.begin_check(session, phone.workspace_id, phone_hash, expires_at=expires_at)

    # A send that the provider refused counts for nothing; one without an answer counts, since it may have been sent.
    await count_unless_refused(database, limits, lambda: sms_sender.send_code(number, str(phone.workspace_id)), *uses)
    # Stored only after it was sent: a provider may send the same code for several workspaces, and without a send for this one a
    # code sent for another must not verify it.
    await transact(database, begin, step="phone-code")


async def verify_phone(
    database: Database, sms_sender: SmsSender, keys: Keys, caller: Caller, phone: PhoneToVerify, code: str
) -> WorkspaceAccess:
    """Verify the number for the workspace with the code that was sent to it.

    Idempotent: until the code would have expired, every call for the number that it verified succeeds. After that a number which is
    verified is treated like any other, so that nobody can find out by guessing which number it is.

    For owners. Raises `InvalidInput` for what is not a code, which does not count as a try; `CodeExpired` when no code was sent, or
    it is older than `CODE_LIFETIME` or had `MOST_TRIES` tries; `CodeWrong`; `PhoneInUse` when the number has verified
    `MOST_WORKSPACES` other workspaces; and what `workspace_for` raises.
    """
    user = require_user(caller)
    async with database.read() as session:
        await _authorize(session, user, phone.workspace_id)
    number = parse_number(phone.phone_number, phone.region, countries=())
    code = pasted_code(code)
    if _CODE.fullmatch(code) is None:
        raise InvalidInput(f"The code that was texted has {CODE_DIGITS} digits.", path=("input", "code"))
    phone_hash = keys.phones.hash(number)

    async def try_once(session: Session) -> int | WorkspaceAccess:
        access = await _authorize(session, user, phone.workspace_id, lock=True)
        if await _is_used(session, phone.workspace_id, phone_hash):
            return access
        tries = await phone_store.use_try(
            session, phone.workspace_id, phone_hash, at=session.real_now, at_most=MOST_TRIES
        )
        if tries is None:
            raise CodeExpired(path=("input", "code"))
        return tries

    async def save(session: Session) -> WorkspaceAccess:
        access = await _authorize(session, user, phone.workspace_id, lock=True)
        await phone_store.lock_number(session, phone_hash)
        former = keys.phones.former_hashes(number)
        await phone_store.rehash_uses(session, former, phone_hash, most=MOST_WORKSPACES)
        await _save_number(session, user, phone.workspace_id, phone_hash, last_digits(number))
        return access

    # committed before the code is checked, so that a try counts whatever happens after it
    tries = await transact(database, try_once, step="phone-try")
    if not isinstance(tries, int):
        return tries
    refusal: CodeExpired | CodeWrong = CodeWrong(path=("input", "code"))
    try:
        is_right = await sms_sender.check_code(number, str(phone.workspace_id), code)
    except CodeGone:
        is_right, refusal = False, CodeExpired(path=("input", "code"))
    if is_right:
        return await transact(database, save, step="phone-verified")
    if tries == MOST_TRIES and isinstance(refusal, CodeWrong):
        await sms_sender.drop_code(number, str(phone.workspace_id))
    access = await _verified_meanwhile(database, user, phone.workspace_id, phone_hash)
    if access is None:
        raise refusal
    return access


async def require_phone(session: Session, workspace_id: UUID) -> PhoneRow:
    """The number verified for a workspace; raises `PhoneUnverified` without one."""
    phone = await phone_store.of_workspace(session, workspace_id)
    if phone is None:
        raise PhoneUnverified
    return phone


async def _authorize(
    session: Session, caller: UserCaller, workspace_id: UUID, *, lock: bool = False
) -> WorkspaceAccess:
    return await workspace_for(session, caller, workspace_id, permission=WorkspacePermission.MANAGE_BILLING, lock=lock)


async def _is_used(session: Session, workspace_id: UUID, phone_hash: bytes) -> bool:
    """Whether the last code sent has verified the number, and it is still the verified one."""
    tries = await phone_store.tries_of(session, workspace_id, phone_hash, at=session.real_now)
    verified = await phone_store.of_workspace(session, workspace_id)
    return tries == _TRIES_OF_USED_CODE and verified is not None and verified.number_hash == phone_hash


async def _verified_meanwhile(
    database: Database, caller: UserCaller, workspace_id: UUID, phone_hash: bytes
) -> WorkspaceAccess | None:
    """The workspace, if another call has used the code, as the first of two clicks does; waits for a call that is just doing so."""
    for _ in range(round(_WAIT_SECONDS / _POLL_SECONDS)):
        async with database.read() as session:
            if await _is_used(session, workspace_id, phone_hash):
                return await _authorize(session, caller, workspace_id)
            tries = await phone_store.tries_of(session, workspace_id, phone_hash, at=session.real_now)
        if tries is None or tries == 1:
            return None
        await asyncio.sleep(_POLL_SECONDS)
    return None


async def _save_number(
    session: Session, caller: UserCaller, workspace_id: UUID, phone_hash: bytes, digits: str
) -> None:
    before = await phone_store.of_workspace(session, workspace_id)
    await _take_slot(session, workspace_id, phone_hash)
    await phone_store.set_phone(session, workspace_id, phone_hash, digits, session.now)
    await phone_store.end_check(session, workspace_id, phone_hash, tries=_TRIES_OF_USED_CODE)
    await audit_log.record(
        session,
        workspace_id,
        audit_log.actor_of(caller),
        "phone.verified",
        "A phone number was verified." if before is None else "Another phone number was verified.",
        before={"isVerified": before is not None},
        after={"isVerified": True},
    )


async def _take_slot(session: Session, workspace_id: UUID, phone_hash: bytes) -> None:
    """Take one of the `MOST_WORKSPACES` slots of a locked number; it is never freed, not even by another number."""
    uses = await phone_store.uses_of(session, [phone_hash])
    if any(use.workspace_id == workspace_id for use in uses):
        return
    free = sorted(set(range(1, MOST_WORKSPACES + 1)) - {use.slot for use in uses})
    if not free:
        raise PhoneInUse(
            f"This phone number has verified {MOST_WORKSPACES} workspaces already, which is the most. Use another number.",
            path=("input", "phoneNumber"),
        )
    use = PhoneUseRow(number_hash=phone_hash, slot=free[0], workspace_id=workspace_id, used_at=session.now)
    await phone_store.add_use(session, use)
