"""Handles, which users know as User IDs: their form, the words nobody may have, and making one up."""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Iterator
from uuid import UUID

from app.accounts.errors import HandleInvalid
from app.db.engine import Session
from app.store import workspaces as store

SHORTEST, LONGEST = 3, 39

_FORM = re.compile(r"[A-Za-z0-9]+([-_][A-Za-z0-9]+)*")
_WORD = re.compile(r"[A-Za-z0-9]+")
_MADE_UP_BASE = "user"
_TRIES_PER_BASE = 5

# Words that would pass for this service, for those who run it, or for an address of the host product's pages.
RESERVED = frozenset(
    """
    about abuse access account accounts admin administrator administrators admins api apikey api-keys app apps assets audit auth
    avatar avatars backup billing blog bot bots cache careers catalog cdn checkout client clients config contact cookie cookies
    counterfoil credit credits customer customers dashboard data delete deleted demo dev developer developers docs documentation
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
    verify-email version webhook webhooks webmaster wiki workspace workspaces www xml you your
    """.split()
)


def check_handle(text: str, *, path: tuple[str, ...] | None = None) -> str:
    """`text`, if it may be a handle at all; raises `HandleInvalid` for a wrong form and for a reserved word."""
    if not SHORTEST <= len(text) <= LONGEST or _FORM.fullmatch(text) is None:
        raise HandleInvalid(path=path)
    if text.lower() in RESERVED:
        raise HandleInvalid("This User ID is reserved. Choose another one.", path=path)
    return text


async def claim_handle(session: Session, handle: str, workspace_id: UUID) -> bool:
    """Take a handle for a workspace, without regard to case; False when another user or organization has it."""
    return await store.claim_handle(session, handle.lower(), workspace_id)


async def claim_made_up_handle(session: Session, workspace_id: UUID, *sources: str) -> str:
    """Take a free handle that resembles the first of `sources` that can be made into one, and return it."""
    for handle in _made_up(*sources):
        if await claim_handle(session, handle, workspace_id):
            return handle
    raise AssertionError("there is no end of handles to try")


def _made_up(*sources: str) -> Iterator[str]:
    """Handles to try: the first source that gives one, then the same with a number, then a number alone, without end."""
    base = next(filter(_may_be_handle, map(_as_handle, sources)), None)
    if base is not None:
        yield base
        for _ in range(_TRIES_PER_BASE):
            yield f"{base[: LONGEST - 5].rstrip('-')}-{secrets.randbelow(9_000) + 1_000}"
    while True:
        yield f"{_MADE_UP_BASE}-{secrets.randbelow(9 * 10**9) + 10**9}"


def _as_handle(text: str) -> str:
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return "-".join(_WORD.findall(ascii_text)).lower()[:LONGEST].rstrip("-")


def _may_be_handle(text: str) -> bool:
    return len(text) >= SHORTEST and text not in RESERVED
