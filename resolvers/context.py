"""What a resolver knows: the running parts of the product, and who is asking."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import TypeAlias

import strawberry

from app.accounts.access.callers import Anonymous, Caller
from app.accounts.avatars.stored_images import AvatarImages
from app.accounts.security.passwords import Passwords
from app.accounts.security.rate_limits import RateLimits
from app.accounts.security.secrets import Keys
from app.billing.subscriptions.trials import Trials
from app.catalog import Catalog
from app.db.engine import Database
from app.db.reads import Reads
from app.flows.flow_context import FlowContext
from app.ledger.committer import Committer
from app.live import Hub
from app.messages.sms_codes import SmsSender
from app.oidc.issuer import Issuer
from app.payments.gateway import Gateway
from app.store.users import Person
from resolvers.live_topics import Topics


@dataclass(frozen=True, slots=True)
class Runtime:
    """The running parts, made once by the composition root.

    `public_url` is where mailed links lead and avatars are read, without a slash at its end; `publishable_key` is Stripe's, for
    browsers; `phone_countries` are the regions whose numbers may be verified, none meaning all; `issuer` is the host product's
    identity provider, where its tokens are taken; `return_origins` are the origins that hosted pages may lead back to, beside our
    own and, with `returns_to_loopback`, this machine's; `owners_set_external_ids` lets owners name the id that the host product
    knows their workspace by; `sales_address` is where requests for the sellers are mailed, None for nowhere.
    """

    database: Database
    catalog: Catalog
    gateway: Gateway
    committer: Committer
    hub: Hub[Caller]
    topics: Topics
    sms_sender: SmsSender
    passwords: Passwords
    avatars: AvatarImages
    rate_limits: RateLimits
    keys: Keys
    public_url: str
    publishable_key: str
    phone_countries: frozenset[str]
    issuer: Issuer | None = None
    return_origins: frozenset[str] = frozenset()
    returns_to_loopback: bool = False
    owners_set_external_ids: bool = True
    sales_address: str | None = None

    @property
    def trials(self) -> Trials:
        """Who is told of those who come, since they may be given a trial."""
        return Trials(self.catalog, self.keys.abuse_key)

    @property
    def flow_context(self) -> FlowContext:
        """What the flows work with."""
        return FlowContext(self.database, self.gateway, self.catalog)


@dataclass(frozen=True, slots=True)
class NewCookie:
    """The session cookie that the answer should set; `token` None ends it."""

    token: str | None


@dataclass(slots=True)
class Context:
    """One operation's context.

    `remote_address` and `user_agent` describe the client; `is_browser` tells that the request came from a web page, which never
    sees a token; `takes_cookies` that the answer can set cookies. `session_cookie` is the token in the cookie
    that came along, also beside other credentials. `new_cookies` is filled by signing in and out. `person` is the caller as read
    with the token that the request came with, for queries; None where the token says no more than who it is of.
    """

    runtime: Runtime
    caller: Caller
    remote_address: str
    user_agent: str | None
    is_browser: bool
    takes_cookies: bool
    session_cookie: str | None = None
    new_cookies: list[NewCookie] = field(default_factory=list[NewCookie])
    person: Person | None = None
    _reads: Reads | None = field(default=None, init=False, repr=False)

    @property
    def reads(self) -> Reads:
        """What this operation reads: what is asked for at the same time is one statement."""
        if self._reads is None:
            self._reads = Reads(self.runtime.database)
        return self._reads

    @property
    def is_authenticated(self) -> bool:
        """Whether the request came with valid credentials."""
        return not isinstance(self.caller, Anonymous)

    @property
    def share_key(self) -> Hashable | None:
        """What two callers must have in common to be sent the very same live message: nothing but the right to see it.

        Only what looks the same to everyone of a kind of watchers is one event for them (`State.shown`), and of which kind a caller
        is, is settled anew for each state; the others are never shared.
        """
        return self.is_authenticated or None


Info: TypeAlias = strawberry.Info[Context, None]
