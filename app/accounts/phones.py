"""Verifying a workspace's phone number, by an owner: a code goes out, and comes back."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from app.accounts import audit
from app.accounts.access import Caller, UserCaller, WorkspaceAccess, WorkspacePermission, require_user, workspace_for
from app.accounts.errors import CodeExpired, CodeWrong, PhoneInUse, PhoneUnverified
from app.accounts.phone_numbers import last_digits, number_hash, parse_number
from app.accounts.rate_limits import Limit, RateLimits, hit, network_of
from app.accounts.secrets import Keys
from app.db.engine import Database, Session
from app.db.tables.workspaces import PhoneRow, PhoneUseRow
from app.db.unit_of_work import transact
from app.messages.sms import CODE_LIFETIME, CodeGone, Texter
from app.store import phones as store

PER_NUMBER = Limit("phone-code:number", most=5, per_seconds=3_600)
PER_WORKSPACE = Limit("phone-code:workspace", most=5, per_seconds=3_600)
PER_NETWORK = Limit("phone-code:network", most=20, per_seconds=3_600)
PER_NUMBER_A_DAY = Limit("phone-code:number-day", most=10, per_seconds=86_400)
PER_NETWORK_A_DAY = Limit("phone-code:network-day", most=50, per_seconds=86_400)

MOST_TRIES = 5
MOST_WORKSPACES = 3


@dataclass(frozen=True, slots=True)
class PhoneOf:
    """A number for a workspace, as it was typed: in E.164 form, or national with a `region`."""

    workspace_id: UUID
    phone_number: str
    region: str | None = None


async def send_code(
    database: Database,
    texter: Texter,
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
        await store.begin_check(session, phone.workspace_id, hashed, expires_at=expires_at)

    # Written down only once it was sent: a provider may have one code for all that a number is to verify, and a code that was
    # sent for another workspace must not do for this one.
    await texter.send_code(number, str(phone.workspace_id))
    await transact(database, begin, step="phone-code")


async def verify_phone(
    database: Database, texter: Texter, keys: Keys, caller: Caller, phone: PhoneOf, code: str
) -> WorkspaceAccess:
    """Verify the number for the workspace with the code that was texted.

    For owners. Raises `CodeExpired` when no code is out, or it is older than 10 minutes or was tried 5 times, `CodeWrong`,
    `PhoneInUse` when the number has verified three other workspaces, and what `workspace_for` raises.
    """
    user = require_user(caller)
    async with database.read() as session:
        await _as_owner(session, user, phone.workspace_id)
    number = parse_number(phone.phone_number, phone.region, countries=())
    hashed = number_hash(keys.phones, number)

    async def try_once(session: Session) -> int:
        await _as_owner(session, user, phone.workspace_id, lock=True)
        tries = await store.use_try(session, phone.workspace_id, hashed, at=session.real_now, at_most=MOST_TRIES)
        if tries is None:
            raise CodeExpired(path=("input", "code"))
        return tries

    async def settle(session: Session) -> WorkspaceAccess:
        access = await _as_owner(session, user, phone.workspace_id, lock=True)
        await _keep_number(session, user, phone.workspace_id, hashed, last_digits(number))
        return access

    # the try is counted before the code is looked at, and stays counted whatever comes of it
    tries = await transact(database, try_once, step="phone-try")
    try:
        is_right = await texter.check_code(number, str(phone.workspace_id), code.strip())
    except CodeGone:
        raise CodeExpired(path=("input", "code")) from None
    if not is_right:
        if tries == MOST_TRIES:
            await texter.drop_code(number, str(phone.workspace_id))
        raise CodeWrong(path=("input", "code"))
    return await transact(database, settle, step="phone-verified")


async def phone_of(session: Session, workspace_id: UUID) -> PhoneRow | None:
    """The number verified for a workspace."""
    return await store.of_workspace(session, workspace_id)


async def require_phone(session: Session, workspace_id: UUID) -> PhoneRow:
    """The number verified for a workspace; raises `PhoneUnverified` without one."""
    phone = await store.of_workspace(session, workspace_id)
    if phone is None:
        raise PhoneUnverified
    return phone


async def _as_owner(session: Session, caller: UserCaller, workspace_id: UUID, *, lock: bool = False) -> WorkspaceAccess:
    return await workspace_for(session, caller, workspace_id, permission=WorkspacePermission.MANAGE_BILLING, lock=lock)


async def _keep_number(session: Session, caller: UserCaller, workspace_id: UUID, hashed: bytes, digits: str) -> None:
    before = await store.of_workspace(session, workspace_id)
    await _count_use(session, workspace_id, hashed)
    await store.set_phone(session, workspace_id, hashed, digits, session.now)
    await store.end_check(session, workspace_id, hashed)
    await audit.record(
        session,
        workspace_id,
        audit.actor_of(caller),
        "phone.verified",
        "A phone number was verified." if before is None else "Another phone number was verified.",
        before={"isVerified": before is not None},
        after={"isVerified": True},
    )


async def _count_use(session: Session, workspace_id: UUID, hashed: bytes) -> None:
    """Give the workspace one of the number's three places, which it keeps: changing numbers frees none."""
    uses = await store.lock_uses(session, hashed)
    if any(use.workspace_id == workspace_id for use in uses):
        return
    free = sorted(set(range(1, MOST_WORKSPACES + 1)) - {use.slot for use in uses})
    if not free:
        raise PhoneInUse(path=("input", "phoneNumber"))
    use = PhoneUseRow(number_hash=hashed, slot=free[0], workspace_id=workspace_id, used_at=session.now)
    await store.add_use(session, use)
