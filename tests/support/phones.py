"""Phones for tests: numbers nobody has verified, codes sent to them and tried."""

from __future__ import annotations

from collections.abc import Collection
from itertools import count
from uuid import UUID

from app.accounts.access.callers import Caller
from app.accounts.security.rate_limits import RateLimits
from app.accounts.workspaces.phone_verification import PhoneToVerify, send_code, verify_phone
from app.db.engine import Database
from app.messages.sms_codes import SmsSender
from tests.support.accounts import (
    KEYS,
    LIMITS_OFF,
    Person,
    new_network,
    sms_sender,
    texted_codes,
)

_numbers = count(10_000_000)


def new_number() -> str:
    """A Dutch mobile number nobody verified yet."""
    return f"+316{next(_numbers)}"


def phone_for(person: Person, number: str, region: str | None = None) -> PhoneToVerify:
    """The number for the person's own workspace."""
    return PhoneToVerify(person.user.personal_workspace_id, number, region)


async def send(
    database: Database,
    caller: Caller,
    phone: PhoneToVerify,
    *,
    limits: RateLimits = LIMITS_OFF,
    network: str | None = None,
    countries: Collection[str] = (),
    by: SmsSender | None = None,
) -> None:
    """Have a code sent, by default by the inbox and without limits."""
    await send_code(
        database,
        by or sms_sender(database),
        KEYS,
        limits,
        caller,
        phone,
        remote_address=network or new_network(),
        countries=countries,
    )


async def verify(database: Database, caller: Caller, phone: PhoneToVerify, code: str) -> UUID:
    """Try a code; the workspace it verified the number for."""
    return (await verify_phone(database, sms_sender(database), KEYS, caller, phone, code)).workspace.id


async def sent_code(database: Database, person: Person, number: str) -> str:
    """The code just sent to a number for the person's own workspace."""
    await send(database, person.caller, phone_for(person, number))
    return (await texted_codes(database, number))[0]


def other_than(code: str) -> str:
    """A code that is not this one."""
    return f"{(int(code) + 1) % 1_000_000:06}"
