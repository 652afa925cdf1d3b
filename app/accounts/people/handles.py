"""Handles, which users know as User IDs: their form, the words nobody may have, and making one up."""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from itertools import pairwise
from typing import TypeVar
from uuid import UUID

from app.accounts.security.account_errors import HandleInvalid, HandleTaken
from app.accounts.security.rate_limits import Limit, RateLimits, check, note
from app.accounts.security.secrets import keyed_hash
from app.db.engine import Database, Session
from app.db.tables.workspaces import WorkspaceRow
from app.store import workspaces as workspace_store

T = TypeVar("T")

SHORTEST, LONGEST = 3, 39

# how long a handle that was given up is kept from everybody else, in the product's time
HOLD_PERIOD = timedelta(days=30)

# Handles resemble names: who asks for one after the other learns who is here.
REFUSALS_PER_USER = Limit("handle:refused", most=30, per_seconds=3_600)

_WORD = re.compile(r"[A-Za-z0-9]+")
_JOINERS = "-_"
_TRIES_PER_BASE = 5

# Words that would pass for this service, for those who run it, or for an address of the host product's pages.
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
_RESERVED_BARE = frozenset(word.replace("-", "") for word in RESERVED)


def check_handle(text: str, *, path: tuple[str, ...] | None = None) -> str:
    """`text`, if it may be a handle at all; raises `HandleInvalid`, saying what is wrong: its form, or that it is reserved."""
    wrong = _wrong_with(text)
    if wrong is not None:
        raise HandleInvalid(wrong, path=path)
    return text


def _wrong_with(text: str) -> str | None:
    strange = next(
        (letter for letter in text if not (letter.isascii() and letter.isalnum()) and letter not in _JOINERS), None
    )
    if strange is not None:
        return f"{_named(strange)} can't be used here. Use the letters A to Z, digits, hyphens and underscores only."
    if len(text) < SHORTEST:
        return f"This is too short: use at least {SHORTEST} letters or digits."
    if len(text) > LONGEST:
        return f"This is too long: use at most {LONGEST} characters."
    if text[0] in _JOINERS or text[-1] in _JOINERS:
        return "Begin and end with a letter or a digit."
    if any(one in _JOINERS and other in _JOINERS for one, other in pairwise(text)):
        return "Use single hyphens and underscores, between letters and digits."
    return "This handle is reserved. Choose another one." if _is_reserved(text) else None


def _named(letter: str) -> str:
    """A letter as people may tell it from one that looks the same."""
    name = unicodedata.name(letter, f"U+{ord(letter):04X}").capitalize()
    return f"{letter!r} ({name})" if letter.isprintable() and not letter.isspace() else name


def _is_reserved(text: str) -> bool:
    return _bare(text) in _RESERVED_BARE


def _bare(text: str) -> str:
    """How a handle reads at a glance."""
    return text.lower().replace("-", "").replace("_", "")


async def refuse_at_sign_up(session: Session, abuse_key: bytes, handle: str, *, path: tuple[str, ...]) -> None:
    """Raise `HandleTaken` for a handle that a newcomer can't have now; it is not taken by asking."""
    key = handle.lower()
    hold = await workspace_store.handle_hold(session, keyed_hash(abuse_key, key), at=session.now)
    if hold is not None or await workspace_store.id_by_handle(session, key) is not None:
        raise HandleTaken(path=path)


async def counting_refusals(
    database: Database, limits: RateLimits, user_id: UUID, work: Callable[[], Awaitable[T]]
) -> T:
    """Do `work`, which takes a handle for the user; raises `RateLimited` after 30 times an hour that one was taken."""
    use = (REFUSALS_PER_USER, str(user_id))
    await check(database, limits, use)
    try:
        return await work()
    except HandleTaken:
        await note(database, limits, use)
        raise


async def claim_handle(session: Session, abuse_key: bytes, handle: str, workspace_id: UUID) -> bool:
    """Take a handle for a workspace that has none, without regard to case.

    False when another user or organization has it, or gave it up less than 30 days ago. `abuse_key` is the key of handles given up.
    """
    key = handle.lower()
    if not await workspace_store.claim_handle(session, key, workspace_id):
        return False
    # looked at only now: whoever gave it up a moment ago has been waited for
    hold = await workspace_store.handle_hold(session, keyed_hash(abuse_key, key), at=session.now)
    if hold is not None and hold.workspace_id != workspace_id:
        await workspace_store.free_handle(session, workspace_id)
        return False
    return True


async def claim_made_up_handle(
    session: Session, abuse_key: bytes, workspace_id: UUID, name: str, *, otherwise: str
) -> str:
    """Take a free handle that resembles the name, or else a number after `otherwise`; return it."""
    for handle in _made_up(name, otherwise):
        if await claim_handle(session, abuse_key, handle, workspace_id):
            return handle
    raise AssertionError("there is no end of handles to try")


async def change_handle(
    session: Session, abuse_key: bytes, workspace: WorkspaceRow, handle: str, *, path: tuple[str, ...] | None = None
) -> bool:
    """Let a locked workspace go by another handle from now on; False when it has that one already.

    The former one is held for it for 30 days. Raises `HandleInvalid` and `HandleTaken`.
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


async def give_up_handle(session: Session, abuse_key: bytes, workspace: WorkspaceRow) -> None:
    """Free a workspace's handle, which nobody else can take for 30 days: links to it must not lead to a stranger."""
    await workspace_store.free_handle(session, workspace.id)
    held = keyed_hash(abuse_key, workspace.handle.lower())
    await workspace_store.hold_handle(session, held, workspace.id, until=session.now + HOLD_PERIOD)


def _made_up(name: str, otherwise: str) -> Iterator[str]:
    """Handles to try: one made from the name, then the same with a number, then a number alone, without end."""
    base = _as_handle(name)
    if _may_be_handle(base):
        yield base
        for _ in range(_TRIES_PER_BASE):
            yield f"{base[: LONGEST - 5].rstrip('-')}-{secrets.randbelow(9_000) + 1_000}"
    while True:
        yield f"{otherwise}-{secrets.randbelow(9 * 10**9) + 10**9}"


def _as_handle(text: str) -> str:
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return "-".join(_WORD.findall(ascii_text)).lower()[:LONGEST].rstrip("-")


def _may_be_handle(text: str) -> bool:
    return len(text) >= SHORTEST and not _is_reserved(text)
