"""Verifying a workspace's phone number, by an owner: a code goes out, and comes back."""

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
from app.accounts.security.account_errors import CodeExpired, CodeWrong, PhoneInUse, PhoneUnverified
from app.accounts.security.rate_limits import Limit, RateLimits, hit, network_of
from app.accounts.security.secrets import Keys
from app.accounts.workspaces.phone_numbers import last_digits, number_hash, parse_number
from app.db.engine import Database, Session
from app.db.tables.workspaces import PhoneRow, PhoneUseRow
from app.db.unit_of_work import transact
from app.errors import InvalidInput
from app.messages.sms_codes import CODE_DIGITS, CODE_LIFETIME, CodeGone, SmsSender
from app.store import phones as phone_store

PER_NUMBER = Limit("phone-code:number", most=5, per_seconds=3_600)
PER_WORKSPACE = Limit("phone-code:workspace", most=5, per_seconds=3_600)
PER_NETWORK = Limit("phone-code:network", most=20, per_seconds=3_600)
PER_NUMBER_A_DAY = Limit("phone-code:number-day", most=10, per_seconds=86_400)
PER_NETWORK_A_DAY = Limit("phone-code:network-day", most=50, per_seconds=86_400)

MOST_TRIES = 5
MOST_WORKSPACES = 3

# how often a code that did its work was tried
_DONE = MOST_TRIES + 1
_CODE = re.compile(rf"[0-9]{{{CODE_DIGITS}}}")
# for what lies between another call's look at the code and its writing down that the number is verified
_WAITS_SECONDS = 0.5
_POLL_EVERY_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class PhoneOf:
    """A number for a workspace, as it was typed: in E.164 form, or national with a `region`."""

    workspace_id: UUID
    phone_number: str
    region: str | None = None


async def send_code(
    database: Database,
    sms_sender: SmsSender,
    keys: Keys,
    limits: RateLimits,
    caller: Caller,
    phone: PhoneOf,
    *,
    remote_address: str,
    countries: Collection[str] = (),
) -> None:
    """Text a code to the number, good for 10 minutes and 5 tries.

    For owners. `countries` are the regions that are texted, none for all. Raises `InvalidInput`, `RateLimited` after 5 sends an
    hour, `Unavailable`, and what `workspace_for` raises. That a number is used up is told only to who can read the code.
    A send that fails leaves an earlier code and its tries as they were.
    """
    user = require_user(caller)
    async with database.read() as session:
        await _as_owner(session, user, phone.workspace_id)
    number = parse_number(phone.phone_number, phone.region, countries=countries)
    network = network_of(remote_address)
    await hit(
        database,
        limits,
        (PER_NUMBER, number),
        (PER_NUMBER_A_DAY, number),
        (PER_WORKSPACE, str(phone.workspace_id)),
        (PER_NETWORK, network),
        (PER_NETWORK_A_DAY, network),
    )

    async def begin(session: Session) -> None:
        await _as_owner(session, user, phone.workspace_id, lock=True)
        expires_at = session.real_now + CODE_LIFETIME
        hashed = number_hash(keys.phones, number)
        await phone_store.begin_check(session, phone.workspace_id, hashed, expires_at=expires_at)

    # Written down only once it was sent: a provider may have one code for all that a number is to verify, and a code that was
    # sent for another workspace must not do for this one.
    await sms_sender.send_code(number, str(phone.workspace_id))
    await transact(database, begin, step="phone-code")


async def verify_phone(
    database: Database, sms_sender: SmsSender, keys: Keys, caller: Caller, phone: PhoneOf, code: str
) -> WorkspaceAccess:
    """Verify the number for the workspace with the code that was texted.

    Sent twice, it answers alike: until the code would have expired, a number that it verified counts as verified. A code sent after
    that is looked at like any other, so that nobody learns by guesses which number it is.

    For owners. Raises `InvalidInput` for what is no code, which counts as no try, `CodeExpired` when no code is out, or it is older
    than 10 minutes or was tried 5 times, `CodeWrong`, `PhoneInUse` when the number has verified three other workspaces, and what
    `workspace_for` raises.
    """
    user = require_user(caller)
    async with database.read() as session:
        await _as_owner(session, user, phone.workspace_id)
    number = parse_number(phone.phone_number, phone.region, countries=())
    code = code.strip()
    if _CODE.fullmatch(code) is None:
        raise InvalidInput(f"The code that was texted has {CODE_DIGITS} digits.", path=("input", "code"))
    hashed = number_hash(keys.phones, number)

    async def try_once(session: Session) -> int | WorkspaceAccess:
        access = await _as_owner(session, user, phone.workspace_id, lock=True)
        if await _is_done(session, phone.workspace_id, hashed):
            return access
        tries = await phone_store.use_try(session, phone.workspace_id, hashed, at=session.real_now, at_most=MOST_TRIES)
        if tries is None:
            raise CodeExpired(path=("input", "code"))
        return tries

    async def settle(session: Session) -> WorkspaceAccess:
        access = await _as_owner(session, user, phone.workspace_id, lock=True)
        await _keep_number(session, user, phone.workspace_id, hashed, last_digits(number))
        return access

    # the try is counted before the code is looked at, and stays counted whatever comes of it
    tries = await transact(database, try_once, step="phone-try")
    if not isinstance(tries, int):
        return tries
    refusal: CodeExpired | CodeWrong = CodeWrong(path=("input", "code"))
    try:
        is_right = await sms_sender.check_code(number, str(phone.workspace_id), code)
    except CodeGone:
        is_right, refusal = False, CodeExpired(path=("input", "code"))
    if is_right:
        return await transact(database, settle, step="phone-verified")
    if tries == MOST_TRIES and isinstance(refusal, CodeWrong):
        await sms_sender.drop_code(number, str(phone.workspace_id))
    access = await _verified_meanwhile(database, user, phone.workspace_id, hashed)
    if access is None:
        raise refusal
    return access


async def phone_of(session: Session, workspace_id: UUID) -> PhoneRow | None:
    """The number verified for a workspace."""
    return await phone_store.of_workspace(session, workspace_id)


async def require_phone(session: Session, workspace_id: UUID) -> PhoneRow:
    """The number verified for a workspace; raises `PhoneUnverified` without one."""
    phone = await phone_store.of_workspace(session, workspace_id)
    if phone is None:
        raise PhoneUnverified
    return phone


async def _as_owner(session: Session, caller: UserCaller, workspace_id: UUID, *, lock: bool = False) -> WorkspaceAccess:
    return await workspace_for(session, caller, workspace_id, permission=WorkspacePermission.MANAGE_BILLING, lock=lock)


async def _is_done(session: Session, workspace_id: UUID, hashed: bytes) -> bool:
    """Whether the last code sent verified the number, which it still is."""
    tries = await phone_store.tries_of(session, workspace_id, hashed, at=session.real_now)
    verified = await phone_store.of_workspace(session, workspace_id)
    return tries == _DONE and verified is not None and verified.number_hash == hashed


async def _verified_meanwhile(
    database: Database, caller: UserCaller, workspace_id: UUID, hashed: bytes
) -> WorkspaceAccess | None:
    """The workspace, if another call used the code up, as the first of two clicks does; waits for one that is just doing so."""
    for _ in range(round(_WAITS_SECONDS / _POLL_EVERY_SECONDS)):
        async with database.read() as session:
            if await _is_done(session, workspace_id, hashed):
                return await _as_owner(session, caller, workspace_id)
            tries = await phone_store.tries_of(session, workspace_id, hashed, at=session.real_now)
        if tries is None or tries == 1:
            return None
        await asyncio.sleep(_POLL_EVERY_SECONDS)
    return None


async def _keep_number(session: Session, caller: UserCaller, workspace_id: UUID, hashed: bytes, digits: str) -> None:
    before = await phone_store.of_workspace(session, workspace_id)
    await _count_use(session, workspace_id, hashed)
    await phone_store.set_phone(session, workspace_id, hashed, digits, session.now)
    await phone_store.end_check(session, workspace_id, hashed, tries=_DONE)
    await audit_log.record(
        session,
        workspace_id,
        audit_log.actor_of(caller),
        "phone.verified",
        "A phone number was verified." if before is None else "Another phone number was verified.",
        before={"isVerified": before is not None},
        after={"isVerified": True},
    )


async def _count_use(session: Session, workspace_id: UUID, hashed: bytes) -> None:
    """Give the workspace one of the number's three places, which it keeps: changing numbers frees none."""
    uses = await phone_store.lock_uses(session, hashed)
    if any(use.workspace_id == workspace_id for use in uses):
        return
    free = sorted(set(range(1, MOST_WORKSPACES + 1)) - {use.slot for use in uses})
    if not free:
        raise PhoneInUse(
            f"This phone number has verified {MOST_WORKSPACES} workspaces, as many as one may. Use another number.",
            path=("input", "phoneNumber"),
        )
    use = PhoneUseRow(number_hash=hashed, slot=free[0], workspace_id=workspace_id, used_at=session.now)
    await phone_store.add_use(session, use)
