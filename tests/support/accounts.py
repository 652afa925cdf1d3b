"""Accounts for tests: users made quickly, queued mails, texted codes, and a database with another time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import orjson
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import select, text

from app.accounts.access.callers import Caller, UserCaller
from app.accounts.people.email_syntax import parse_email
from app.accounts.people.milestones import Milestones
from app.accounts.people.sessions import identify, open_session
from app.accounts.people.users import NewUser, User, create_user
from app.accounts.security.passwords import Passwords
from app.accounts.security.rate_limits import RateLimits
from app.accounts.security.secrets import derive_keys
from app.clock import Clock
from app.db.engine import Database, Session
from app.db.tables.development_inbox import InboxMessageRow
from app.db.unit_of_work import transact
from app.messages.development_inbox import InboxSmsSender
from app.messages.mail import SEND_MAIL, Mail, deliver

SECRET_KEY = "a secret key for tests only"
KEYS = derive_keys(SECRET_KEY)
LIMITS_ON = RateLimits(KEYS.limits)
LIMITS_OFF = RateLimits(KEYS.limits, enabled=False)
PASSWORD = "correct horse battery"


def quick_passwords() -> Passwords:
    """Passwords hashed with the cheapest parameters there are."""
    return Passwords(Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1))


class CountingHasher(Argon2Hasher):
    """A cheap hasher that counts how often it computed a hash, be it to keep or to compare."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.computed = 0

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        self.computed += 1
        return super().hash(password, salt=salt)

    def verify(self, password: str | bytes, hash: str | bytes) -> bool:  # noqa: A002  # the protocol's name
        self.computed += 1
        return super().verify(password, hash)


def new_address() -> str:
    """An address nobody has."""
    return f"{uuid4().hex}@example.com"


def new_network() -> str:
    """A network address that nobody used yet."""
    digits = uuid4().hex
    return f"2001:db8:{digits[:4]}:{digits[4:8]}::1"


@dataclass(frozen=True, slots=True)
class Person:
    """A user with an open session."""

    user: User
    caller: UserCaller
    token: str


async def new_person(
    database: Database, *, address: str | None = None, handle: str | None = None, milestones: Milestones | None = None
) -> Person:
    """A user with a verified address, without a password, signed in; without `milestones` nobody gives them a trial."""

    async def make(session: Session) -> Person:
        email = parse_email(address or new_address())
        new = NewUser(email=email, password_hash=None, handle=handle)
        user = await create_user(session, KEYS.abuse_key, new, milestones)
        opened = await open_session(session, user.id, "a test")
        return Person(user, UserCaller(user.id, opened.session_id), opened.token)

    return await transact(database, make)


async def authenticate(database: Database, token: str) -> Caller:
    """The caller whose token this is."""
    return (await identify(database, token)).caller


@dataclass(slots=True)
class RecordingMailer:
    """A `Mailer` that keeps the mails in a list."""

    mails: list[Mail] = field(default_factory=list[Mail])

    async def send(self, mail: Mail) -> None:
        self.mails.append(mail)


async def queued_mails(database: Database, address: str) -> list[Mail]:
    """The mails to this address that wait for the worker, the oldest first."""
    queued = text("SELECT payload FROM pgqueuer WHERE entrypoint = :task ORDER BY id")
    mailer = RecordingMailer()
    async with database.read() as session:
        for payload in (await session.scalars(queued, {"task": SEND_MAIL})).all():
            await deliver(mailer, _strings(payload), KEYS.mail)
    return [mail for mail in mailer.mails if mail.to == address]


def _strings(payload: bytes) -> dict[str, str]:
    return orjson.loads(payload)


def token_of(mail: Mail) -> str:
    """The token of a mailed link."""
    return mail.links[0].partition("?token=")[2]


async def texted_codes(database: Database, number: str) -> list[str]:
    """The codes texted to this number, the newest first."""
    query = select(InboxMessageRow.code).where(InboxMessageRow.recipient == number).order_by(InboxMessageRow.id.desc())
    async with database.read() as session:
        return [code for code in (await session.scalars(query)).all() if code is not None]


def sms_sender(database: Database) -> InboxSmsSender:
    """The development inbox as the sender of codes."""
    return InboxSmsSender(database, KEYS.codes)


@dataclass(slots=True)
class _MovedClock(Clock):
    by: timedelta = timedelta()

    def real_now(self) -> datetime:
        return Clock.real_now(self) + self.by


@dataclass(slots=True)
class _StoppedClock(Clock):
    moment: datetime = datetime(2030, 1, 1, tzinfo=UTC)

    def real_now(self) -> datetime:
        return self.moment


def at_later(database: Database, by: timedelta) -> Database:
    """The same database, so much later in real time."""
    return Database(database.engine, _MovedClock(by=by))


def at_second(database: Database, second: float) -> Database:
    """The same database with a stopped clock, `second` seconds into 2030: for tests that a slow machine must not change."""
    return Database(database.engine, _StoppedClock(moment=_StoppedClock().moment + timedelta(seconds=second)))
