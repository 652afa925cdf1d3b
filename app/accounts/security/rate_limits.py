"""Rate limits, counted in PostgreSQL, so that they hold across any number of processes; they follow the real time.

Three ways. What a request begins is counted in the unit of work that begins it, so that a replay and a refused form count nothing
(`count_begun`). Where the work lies outside a unit, it is counted before, in a unit of its own (`count_attempt`), and taken back
where nothing was begun (`count_unless_refused`). Or only failures are counted, afterwards (`check_limits`, then `count_failure`).
Whom a limit is for is stored as a keyed hash: the table holds no address and no phone number.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import TypeAlias, TypeVar

from app.accounts.security.secrets import keyed_hash
from app.db.engine import Database, Session
from app.db.unit_of_work import transact
from app.errors import DomainError, RateLimited
from app.store import rate_limits as rate_limit_store

T = TypeVar("T")

_IPV6_SITE_BITS = 64


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `most` times within any `per_seconds`; `always_on` means that `RateLimits.enabled` does not turn it off.

    `ends_with_success` means that an attempt which succeeds clears the whole count, not only its own part in it. `can_be_cleared`
    means that `clear_counts` does so for everyone who is counted for the same subject.
    """

    name: str
    most: int
    per_seconds: int
    always_on: bool = False
    ends_with_success: bool = False
    can_be_cleared: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class RateLimits:
    """`key` hashes whom a limit is for; `enabled` turns all limits on or off, but for those that are `always_on`."""

    key: bytes
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that was counted, for `uncount_attempt`; the counts of `cleared_keys` are cleared by its success."""

    keys: tuple[bytes, ...]
    at: datetime
    cleared_keys: tuple[bytes, ...] = ()


CountedLimits: TypeAlias = Mapping[bytes, Limit]
"""The limits to count against, by the keyed hash of whom each is for."""


async def count_attempt(
    database: Database, limits: RateLimits, *uses: tuple[Limit, str], subject: str | None = None
) -> Attempt:
    """Count an attempt against several limits, each given with whom it is for, such as an address.

    `subject` is whose counts `clear_counts` clears: of limits that can be cleared, only what came after that is counted. Raises
    `RateLimited` with the seconds to wait when one of them is used up. Then the attempt is counted against none: trying while one
    must wait does not make the wait longer.
    """
    counted = _active_limits(limits, uses)
    if not counted:
        return Attempt((), database.clock.real_now())

    async def count(session: Session) -> Attempt | int:
        cleared_at = await _cleared_at(session, limits, subject) if subject is not None else None
        return await _count_attempt(session, counted, cleared_at)

    outcome = await transact(database, count, step="rate-limit")
    if isinstance(outcome, int):
        raise RateLimited(outcome)
    return outcome


async def check_limits(database: Database, limits: RateLimits, *uses: tuple[Limit, str]) -> None:
    """Raise `RateLimited` as `count_attempt` would, but count nothing: for limits that count only failures."""
    async with database.read() as session:
        await check_limits_now(session, limits, *uses)


async def check_limits_now(session: Session, limits: RateLimits, *uses: tuple[Limit, str]) -> None:
    """`check_limits` within the caller's unit of work."""
    counted = _active_limits(limits, uses)
    if not counted:
        return
    hits = await rate_limit_store.read(session, counted)
    recent = {key: _recent(hits.get(key, ()), limit, session.real_now) for key, limit in counted.items()}
    seconds = _seconds_to_wait(counted, recent, session.real_now)
    if seconds is not None:
        raise RateLimited(seconds)


async def count_begun(session: Session, limits: RateLimits, *uses: tuple[Limit, str]) -> None:
    """Count what the caller's unit of work begins: it counts if that is committed. Raises `RateLimited` as `count_attempt` does."""
    counted = _active_limits(limits, uses)
    outcome = await _count_attempt(session, counted, None) if counted else None
    if isinstance(outcome, int):
        raise RateLimited(outcome)


async def count_failure(database: Database, limits: RateLimits, *uses: tuple[Limit, str]) -> None:
    """Count a failure, even past the limit: of many attempts at once, all passed `check_limits` before the first was counted."""
    counted = _active_limits(limits, uses)
    if counted:
        await transact(database, lambda session: _count_failure(session, counted), step="rate-limit")


async def count_unless_refused(
    database: Database, limits: RateLimits, work: Callable[[], Awaitable[T]], *uses: tuple[Limit, str]
) -> T:
    """Do `work`, counted as with `count_attempt`, but not when it raises a `DomainError`: who has mended that may try again."""
    attempt = await count_attempt(database, limits, *uses)
    try:
        return await work()
    except DomainError:
        await uncount_attempt(database, attempt)
        raise


async def uncount_attempt(database: Database, attempt: Attempt) -> None:
    """Undo the counting of an attempt that succeeded, where only failures are to be limited."""
    if not attempt.keys:
        return

    async def uncount(session: Session) -> None:
        await rate_limit_store.take_back(session, attempt.keys, attempt.at)
        await rate_limit_store.clear(session, attempt.cleared_keys)

    await transact(database, uncount, step="rate-limit")


async def clear_counts(session: Session, limits: RateLimits, subjects: Collection[str], *, per_seconds: int) -> None:
    """Let what was counted for these subjects until now count no more, whatever network it came from.

    `per_seconds` is the longest period of the limits concerned, after which nothing of it would count anyway.
    """
    expires_at = session.real_now + timedelta(seconds=per_seconds)
    keys = [_clearing_key(limits, subject) for subject in subjects]
    for key in await rate_limit_store.lock(session, keys, expires_at=expires_at):
        await rate_limit_store.save(session, key, [session.real_now], expires_at=expires_at)


def network_of(remote_address: str) -> str:
    """What limits count as one network: an IPv4 address, or the /64 of an IPv6 address, since one customer has at least that."""
    try:
        address = ip_address(remote_address)
    except ValueError:
        return remote_address
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(IPv6Network((int(address), _IPV6_SITE_BITS), strict=False))
    return str(address)


def _active_limits(limits: RateLimits, uses: Iterable[tuple[Limit, str]]) -> CountedLimits:
    return {keyed_hash(limits.key, limit.name, who): limit for limit, who in uses if limits.enabled or limit.always_on}


def _clearing_key(limits: RateLimits, subject: str) -> bytes:
    return keyed_hash(limits.key, "cleared", subject)


async def _cleared_at(session: Session, limits: RateLimits, subject: str) -> datetime | None:
    key = _clearing_key(limits, subject)
    return max((await rate_limit_store.read(session, [key])).get(key, ()), default=None)


async def _count_attempt(session: Session, counted: CountedLimits, cleared_at: datetime | None) -> Attempt | int:
    """The attempt, or the seconds until one is allowed again."""
    recent = await _lock(session, counted)
    if cleared_at is not None:
        recent |= {
            key: [at for at in recent[key] if at > cleared_at] for key, limit in counted.items() if limit.can_be_cleared
        }
    seconds = _seconds_to_wait(counted, recent, session.real_now)
    if seconds is not None:
        return seconds
    await _save(session, counted, recent)
    cleared = tuple(key for key, limit in counted.items() if limit.ends_with_success)
    return Attempt(tuple(counted), session.real_now, cleared)


async def _count_failure(session: Session, counted: CountedLimits) -> None:
    await _save(session, counted, await _lock(session, counted))


async def _lock(session: Session, counted: CountedLimits) -> dict[bytes, list[datetime]]:
    now = session.real_now
    longest = max(timedelta(seconds=limit.per_seconds) for limit in counted.values())
    hits = await rate_limit_store.lock(session, counted, expires_at=now + longest)
    return {key: _recent(hits[key], limit, now) for key, limit in counted.items()}


async def _save(session: Session, counted: CountedLimits, recent: Mapping[bytes, Sequence[datetime]]) -> None:
    for key, limit in counted.items():
        expires_at = session.real_now + timedelta(seconds=limit.per_seconds)
        await rate_limit_store.save(session, key, sorted([*recent[key], session.real_now]), expires_at=expires_at)


def _seconds_to_wait(counted: CountedLimits, recent: Mapping[bytes, Sequence[datetime]], now: datetime) -> int | None:
    waits = [
        # another process may have counted at a later time than ours: nobody waits longer than the limit's whole period
        min(recent[key][-limit.most] - now, timedelta()) + timedelta(seconds=limit.per_seconds)
        for key, limit in counted.items()
        if len(recent[key]) >= limit.most
    ]
    return max(1, math.ceil(max(waits) / timedelta(seconds=1))) if waits else None


def _recent(hits: Sequence[datetime], limit: Limit, now: datetime) -> list[datetime]:
    return [at for at in hits if at > now - timedelta(seconds=limit.per_seconds)]
