"""Handles, which users know as User IDs: their form, the words nobody may have, and making one up."""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

from app.accounts.errors import HandleInvalid, HandleTaken
from app.accounts.secrets import keyed_hash
from app.db.engine import Session
from app.db.tables.workspaces import WorkspaceRow
from app.store import workspaces as store

SHORTEST, LONGEST = 3, 39

# how long a handle that was given up is kept from everybody else, in the product's time
HELD_FOR = timedelta(days=30)

_FORM = re.compile(r"[A-Za-z0-9]+([-_][A-Za-z0-9]+)*")
_WORD = re.compile(r"[A-Za-z0-9]+")
_TRIES_PER_BASE = 5

# Words that would pass for this service, for those who run it, or for an address of the host product's pages.
RESERVED = frozenset(
    """
    about abuse access account accounts admin administrator administrators admins api apikey api-keys app apps assets audit auth
    avatar avatars backup billing blog bot bots cache careers catalog cdn checkout client clients config contact cookie cookies
    counterfoil credit credits customer customers dashboard data delete deleted demo dev developer developers docs documentation
    deleted-key deleted-user
    download downloads edit email emails error errors everyone example explore faq feature features feedback file files forgot
    forum graphiql graphql group groups guest guests handle healthz help home host hostmaster html http https image images imap
    inbox index info internal invitation invitations invite invoice invoices jobs js json key keys ledger legal live login logout
    logs mail mailer mailer-daemon main master me member members message messages metrics moderator mysql nobody noreply no-reply
    none null oauth official oidc operator operators org organization organizations owner owners password payment payments phone
    plan plans policy pop3 portal postgres postmaster preview pricing privacy private profile profiles public purchase purchases
    readyz recharge register report robots root rss sales sandbox search secure security seller seo service services session
    sessions settings setup share shop signin sign-in signout sign-out signup sign-up site sitemap smtp sql ssl staff static
    statistics stats status store stripe subscribe subscription subscriptions sudo superuser support sysadmin system team teams
    terms test tests tls token tokens tos undefined unsubscribe update updates upgrade upload uploads usage user users verify
    verify-email accept-invitation reset-password version webhook webhooks webmaster wiki workspace workspaces www xml you your
    """.split()
)


def check_handle(text: str, *, path: tuple[str, ...] | None = None) -> str:
    """`text`, if it may be a handle at all; raises `HandleInvalid` for a wrong form and for a reserved word."""
    if not SHORTEST <= len(text) <= LONGEST or _FORM.fullmatch(text) is None:
        raise HandleInvalid(path=path)
    if text.lower() in RESERVED:
        raise HandleInvalid("This User ID is reserved. Choose another one.", path=path)
    return text


async def claim_handle(session: Session, guards: bytes, handle: str, workspace_id: UUID) -> bool:
    """Take a handle for a workspace that has none, without regard to case.

    False when another user or organization has it, or gave it up less than 30 days ago. `guards` is the key of handles given up.
    """
    key = handle.lower()
    if not await store.claim_handle(session, key, workspace_id):
        return False
    # looked at only now: whoever gave it up a moment ago has been waited for
    hold = await store.handle_hold(session, keyed_hash(guards, key), at=session.now)
    if hold is not None and hold.workspace_id != workspace_id:
        await store.free_handle(session, workspace_id)
        return False
    return True


async def claim_made_up_handle(
    session: Session, guards: bytes, workspace_id: UUID, *sources: str, otherwise: str
) -> str:
    """Take a free handle that resembles the first source it can be made from, or else a number after `otherwise`; return it."""
    for handle in _made_up(sources, otherwise):
        if await claim_handle(session, guards, handle, workspace_id):
            return handle
    raise AssertionError("there is no end of handles to try")


async def change_handle(
    session: Session, guards: bytes, workspace: WorkspaceRow, handle: str, *, path: tuple[str, ...] | None = None
) -> bool:
    """Let a locked workspace go by another handle from now on; False when it has that one already.

    The former one is held for it for 30 days. Raises `HandleInvalid` and `HandleTaken`.
    """
    handle = check_handle(handle, path=path)
    if handle == workspace.handle:
        return False
    if handle.lower() != workspace.handle.lower():
        await give_up_handle(session, guards, workspace)
        if not await claim_handle(session, guards, handle, workspace.id):
            raise HandleTaken(path=path)
    workspace.handle = handle
    workspace.version += 1
    return True


async def give_up_handle(session: Session, guards: bytes, workspace: WorkspaceRow) -> None:
    """Free a workspace's handle, which nobody else can take for 30 days: links to it must not lead to a stranger."""
    await store.free_handle(session, workspace.id)
    held = keyed_hash(guards, workspace.handle.lower())
    await store.hold_handle(session, held, workspace.id, until=session.now + HELD_FOR)


def _made_up(sources: tuple[str, ...], otherwise: str) -> Iterator[str]:
    """Handles to try: the first source that gives one, then the same with a number, then a number alone, without end."""
    base = next(filter(_may_be_handle, map(_as_handle, sources)), None)
    if base is not None:
        yield base
        for _ in range(_TRIES_PER_BASE):
            yield f"{base[: LONGEST - 5].rstrip('-')}-{secrets.randbelow(9_000) + 1_000}"
    while True:
        yield f"{otherwise}-{secrets.randbelow(9 * 10**9) + 10**9}"


def _as_handle(text: str) -> str:
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return "-".join(_WORD.findall(ascii_text)).lower()[:LONGEST].rstrip("-")


def _may_be_handle(text: str) -> bool:
    return len(text) >= SHORTEST and text not in RESERVED
