"""Handles (a user's is called User ID): their syntax, reserved words, taking, changing and freeing one, and generating one."""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from itertools import pairwise
from typing import ClassVar, TypeVar
from uuid import UUID

from app.accounts.security.rate_limits import Limit, RateLimits, check_limits, count_failure
from app.accounts.security.secrets import HashKeys
from app.accounts.security.text_input import trimmed
from app.db.engine import Database, Session
from app.db.tables.workspaces import WorkspaceRow
from app.error_codes import ErrorCode
from app.errors import DomainError
from app.store import workspaces as workspace_store
from app.wording import duration

T = TypeVar("T")

SHORTEST, LONGEST = 3, 39

# how long nobody else can take a handle that was given up, in the product's time
HOLD_PERIOD = timedelta(days=30)

# Handles resemble names: by trying many, somebody could learn who has an account.
REFUSALS_PER_USER = Limit("handle:refused", most=30, per_seconds=3_600)

_WORD = re.compile(r"[A-Za-z0-9]+")
_JOINERS = "-_"
_TRIES_PER_BASE = 5

# Words that could be taken for this service, for those who run it, or for an address of a page of the host product.
RESERVED = frozenset(
    """
    about abuse accept-invitation access account accounts admin administrator administrators admins anonymous api api-keys
    apikey app apps assets audit auth avatar avatars backup billing blog bot bots cache careers catalog cdn checkout client
    clients config contact cookie cookies counterfoil credit credits customer customers dashboard data delete deleted
    deleted-key deleted-user demo dev developer developers docs documentation download downloads edit email emails error errors
    everyone example explore false faq feature features feedback file files forgot forum graphiql graphql group groups guest
    guests handle healthz help home host hostmaster html http https image images imap inbox index info internal invitation
    invitations invite invoice invoices jobs js json key keys ledger legal live login logout logs mail mailer mailer-daemon main
    master me member members message messages metrics moderator mysql nan new nil no-reply nobody none noreply null oauth
    official oidc operator operators org organization organizations orgs owner owners page pages password payment payments phone
    plan plans policy pop3 portal postgres postmaster preview pricing privacy private profile profiles public purchase purchases
    readyz recharge register report reset-password robots root rss sales sandbox search secure security seller seo service
    services session sessions settings setup share shop sign-in sign-out sign-up signin signout signup site sitemap smtp sql ssl
    staff static statistics stats status store stripe subscribe subscription subscriptions sudo superuser support sysadmin
    system team teams terms test tests tls token tokens tos true undefined unsubscribe update updates upgrade upload uploads
    usage user users verify verify-email version viewer webhook webhooks webmaster wiki workspace workspaces www xml you your
    """.split()
)
_RESERVED_COMPARABLE = frozenset(word.replace("-", "") for word in RESERVED)


class HandleInvalid(DomainError):
    """Use {shortest} to {longest} letters (A to Z) and digits, in words joined by single hyphens or underscores."""

    code = ErrorCode.HANDLE_INVALID
    placeholders: ClassVar = {"shortest": str(SHORTEST), "longest": str(LONGEST)}


class HandleTaken(DomainError):
    """A user or an organization goes by this handle, or did so less than {hold_period} ago. Choose another one."""

    code = ErrorCode.HANDLE_TAKEN
    placeholders: ClassVar = {"hold_period": duration(HOLD_PERIOD)}


def check_handle(text: str, *, path: tuple[str, ...] | None = None) -> str:
    """The handle that `text` is, without blanks around it; raises `HandleInvalid`, which says what is wrong, for any other text."""
    text = trimmed(text)
    problem = _problem_of(text)
    if problem is not None:
        raise HandleInvalid(problem, path=path)
    return text


def _problem_of(text: str) -> str | None:
    invalid = next(
        (
            character
            for character in text
            if not (character.isascii() and character.isalnum()) and character not in _JOINERS
        ),
        None,
    )
    if invalid is not None:
        return f"{_named(invalid)} can't be used here. Use the letters A to Z, digits, hyphens and underscores only."
    if len(text) < SHORTEST:
        return f"This is too short: use at least {SHORTEST} letters or digits."
    if len(text) > LONGEST:
        return f"This is too long: use at most {LONGEST} characters."
    if text[0] in _JOINERS or text[-1] in _JOINERS:
        return "Begin and end with a letter or a digit."
    if any(one in _JOINERS and other in _JOINERS for one, other in pairwise(text)):
        return "Use single hyphens and underscores, between letters and digits."
    return "This handle is reserved. Choose another one." if _is_reserved(text) else None


def _named(character: str) -> str:
    """A character with its Unicode name: another one may look the same."""
    name = unicodedata.name(character, f"U+{ord(character):04X}").capitalize()
    return f"{character!r} ({name})" if character.isprintable() and not character.isspace() else name


def _is_reserved(text: str) -> bool:
    return _comparable(text) in _RESERVED_COMPARABLE


def _comparable(text: str) -> str:
    """A handle without case, hyphens and underscores, by which it is compared with reserved words."""
    return text.lower().replace("-", "").replace("_", "")


async def require_free_handle(session: Session, abuse_key: HashKeys, handle: str, *, path: tuple[str, ...]) -> None:
    """Raise `HandleTaken` if a new user could not have this handle now; does not take it."""
    key = handle.lower()
    hold = await workspace_store.handle_hold(session, abuse_key.hashes(key), at=session.now)
    if hold is not None or await workspace_store.id_by_handle(session, key) is not None:
        raise HandleTaken(path=path)


async def counting_refusals(
    database: Database, limits: RateLimits, user_id: UUID, work: Callable[[], Awaitable[T]]
) -> T:
    """Do `work`, which takes a handle for the user; counts `HandleTaken`, and raises `RateLimited` by `REFUSALS_PER_USER`."""
    use = (REFUSALS_PER_USER, str(user_id))
    await check_limits(database, limits, use)
    try:
        return await work()
    except HandleTaken:
        await count_failure(database, limits, use)
        raise


async def claim_handle(session: Session, abuse_key: HashKeys, handle: str, workspace_id: UUID) -> bool:
    """Take a handle for a workspace that has none, without regard to case.

    False when another user or organization has it, or gave it up less than `HOLD_PERIOD` ago. `abuse_key` is what
    freed handles are hashed with.
    """
    key = handle.lower()
    if not await workspace_store.claim_handle(session, key, workspace_id):
        return False
    # read only now: the statement above has waited for a transaction that is just giving the handle up
    hold = await workspace_store.handle_hold(session, abuse_key.hashes(key), at=session.now)
    if hold is not None and hold.workspace_id != workspace_id:
        await workspace_store.free_handle(session, workspace_id)
        return False
    return True


async def claim_generated_handle(
    session: Session, abuse_key: HashKeys, workspace_id: UUID, name: str, *, fallback_prefix: str
) -> str:
    """Take a free handle that resembles the name, or else `fallback_prefix` with a number; returns it."""
    for handle in _generate_handles(name, fallback_prefix):
        if await claim_handle(session, abuse_key, handle, workspace_id):
            return handle
    raise AssertionError("there is no end of handles to try")


async def change_handle(
    session: Session, abuse_key: HashKeys, workspace: WorkspaceRow, handle: str, *, path: tuple[str, ...] | None = None
) -> bool:
    """Change the handle of a locked workspace; False when it has that one already.

    The former one is held for this workspace for `HOLD_PERIOD`. Raises `HandleInvalid` and `HandleTaken`.
    """
    handle = check_handle(handle, path=path)
    if handle == workspace.handle:
        return False
    if handle.lower() != workspace.handle.lower():
        await give_up_handle(session, abuse_key, workspace)
        if not await claim_handle(session, abuse_key, handle, workspace.id):
            raise HandleTaken(path=path)
    workspace.handle = handle
    workspace.version += 1
    return True


async def give_up_handle(session: Session, abuse_key: HashKeys, workspace: WorkspaceRow) -> None:
    """Free a workspace's handle; nobody else can take it for `HOLD_PERIOD`, so that old links do not lead to a stranger."""
    await workspace_store.free_handle(session, workspace.id)
    handle_hash = abuse_key.hash(workspace.handle.lower())
    await workspace_store.hold_handle(session, handle_hash, workspace.id, until=session.now + HOLD_PERIOD)


def _generate_handles(name: str, fallback_prefix: str) -> Iterator[str]:
    """Handles to try: one made from the name, then that with a number, then `fallback_prefix` with a number, without end."""
    base = _as_handle(name)
    if _is_usable(base):
        yield base
        for _ in range(_TRIES_PER_BASE):
            yield f"{base[: LONGEST - 5].rstrip('-')}-{secrets.randbelow(9_000) + 1_000}"
    while True:
        yield f"{fallback_prefix}-{secrets.randbelow(9 * 10**9) + 10**9}"


def _as_handle(text: str) -> str:
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return "-".join(_WORD.findall(ascii_text)).lower()[:LONGEST].rstrip("-")


def _is_usable(text: str) -> bool:
    return len(text) >= SHORTEST and not _is_reserved(text)
