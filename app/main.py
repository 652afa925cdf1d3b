"""The composition root: settings become the running parts, and the parts a server."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

import structlog
from cryptography.fernet import Fernet

from app.accounts.access.callers import Caller
from app.accounts.avatars.stored_images import AvatarImages
from app.accounts.security.passwords import Passwords
from app.accounts.security.rate_limits import RateLimits
from app.accounts.security.secrets import derive_key, derive_keys
from app.asgi.application import Application
from app.asgi.authentication import Authentication
from app.asgi.avatar_files import file_routes
from app.asgi.development import dev_routes
from app.asgi.graphql import GraphQLSettings, graphql_endpoint
from app.asgi.health import health_routes
from app.asgi.outage_errors import classify
from app.asgi.own_pages import page_routes
from app.asgi.stripe_events import EVENTS_PATH, stripe_event_routes
from app.catalog import load_catalog
from app.clock import Clock
from app.db.engine import Database, connect
from app.faults import fault_hook
from app.flows.flow_context import FlowContext
from app.flows.provider.catalog_sync import sync_catalog
from app.flows.provider.event_endpoint import endpoint_problems, ensure_event_endpoint, stored_secret
from app.flows.provider.portals import sync_portals
from app.flows.purchases.checkout import customer_returned
from app.flows.subscriptions.fallback_plan import keep_fallback_seats
from app.jobs import schedule, time_travel
from app.jobs.due_works import customer_works, due_works, provider_works, storage_works
from app.jobs.job_consumer import consume
from app.jobs.outage_log import OutageLog, one_line, retry_delays
from app.jobs.tasks import tasks
from app.jobs.usage_works import usage_works
from app.ledger.committer import Committer
from app.live import Bus, Hub
from app.messages.development_inbox import InboxMailer, InboxSmsSender
from app.messages.mail import Mailer
from app.messages.smtp import SmtpMailer
from app.messages.twilio import TwilioSmsSender
from app.object_storage import open_storage
from app.oidc.issuer import Issuer
from app.payments.gateway_errors import GatewayRefused, GatewayUnavailable
from app.payments.sandbox_control import SandboxControl
from app.payments.stripe_event_types import EVENT_TYPES
from app.payments.stripe_gateway import stripe_gateway
from app.settings import ExternalIds, RateLimitSwitch, Settings
from resolvers.context import Runtime
from resolvers.live_topics import live_topics
from schema.root import graphql_schema

SANDBOX_SECRET_KEY: Final = "sk_test_sandbox"
SANDBOX_PUBLISHABLE_KEY: Final = "pk_test_sandbox"

_SESSION_COOKIE: Final = "counterfoil_session"
_EXPLORER_ASSETS: Final = Path(__file__).parents[1] / "web" / "graphiql" / "dist"

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(slots=True)
class Backend:
    """The running parts together, and what only the server and the worker need.

    `cipher` encrypts secrets that are stored; `ending` is set when the server is told to stop;
    `event_secrets`, with which the provider signs its events, fills once its endpoint is known; of one that an operator made,
    `endpoint_problems` are those that were warned of last.
    """

    settings: Settings
    database_url: str
    runtime: Runtime
    mailer: Mailer
    cipher: Fernet
    ending: asyncio.Event = field(default_factory=asyncio.Event)
    event_secrets: list[str] = field(default_factory=list[str])
    endpoint_problems: Sequence[str] = ()

    @property
    def flow_context(self) -> FlowContext:
        """What the flows work with."""
        return self.runtime.flow_context

    @property
    def polls_events(self) -> bool:
        """Whether events are asked for, for want of an address that the provider could report them to."""
        settings = self.settings
        return not settings.uses_sandbox and settings.public_url is None and settings.stripe_webhook_secret is None


@asynccontextmanager
async def open_backend(
    settings: Settings, database_url: str, secret_key: str, *, listens: bool = True
) -> AsyncGenerator[Backend]:
    """Make the running parts, and close them at the end.

    A command that serves nobody need not listen for hints: without `listens` it only sends them. Raises `CatalogError` for a
    catalog with mistakes in it and `StorageMisconfigured` for a storage that can't be; neither it nor the provider need answer yet.
    """
    fault = fault_hook(settings.fault_point, settings.fault_log, settings.fault_file)
    keys = derive_keys(secret_key, settings.abuse_pepper, settings.abuse_pepper_old)
    bus = Bus(settings.broadcast_url or database_url)
    database = Database(connect(database_url), Clock(), bus, fault)
    catalog = load_catalog(settings.catalog)
    images = AvatarImages(open_storage(settings.objects_url, settings.objects_options))
    committer = Committer(database)
    hub = Hub[Caller](bus)
    issuer = Issuer(settings.oidc_issuer, settings.oidc_audience) if settings.oidc_issuer is not None else None
    twilio = _twilio(settings)
    runtime = Runtime(
        database=database,
        catalog=catalog,
        gateway=stripe_gateway(
            settings.stripe_api_key or SANDBOX_SECRET_KEY,
            base_url=f"http://127.0.0.1:{settings.sandbox_port}" if settings.uses_sandbox else None,
            fault=fault,
        ),
        committer=committer,
        hub=hub,
        topics=live_topics(database, catalog),
        sms_sender=twilio or InboxSmsSender(database, keys.codes),
        passwords=Passwords(),
        avatars=images,
        rate_limits=RateLimits(keys.limits, enabled=settings.rate_limits is RateLimitSwitch.ON),
        keys=keys,
        public_url=settings.base_url,
        publishable_key=settings.stripe_publishable_key or SANDBOX_PUBLISHABLE_KEY,
        phone_countries=frozenset(settings.phone_countries),
        issuer=issuer,
        return_origins=frozenset(settings.return_origins),
        returns_to_loopback=not settings.is_production,
        owners_set_external_ids=settings.external_ids is ExternalIds.OWNERS,
        sales_address=settings.sales_email,
    )
    try:
        await time_travel.load_offset(database)
        await keep_fallback_seats(database, catalog)
        if listens:
            await hub.start()
        cipher = Fernet(base64.urlsafe_b64encode(derive_key(secret_key, "stored-secrets")))
        yield Backend(settings, database_url, runtime, _mailer(settings, database), cipher)
    finally:
        images.close()
        await hub.aclose()
        for outside in (issuer, twilio):
            if outside is not None:
                await outside.aclose()
        await committer.close()
        await bus.aclose()
        await database.close()


def web_app(backend: Backend) -> Application:
    """The routes of a server: the API, Stripe's events, health, and in development the inbox and the clock."""
    settings, runtime = backend.settings, backend.runtime
    graphql = GraphQLSettings(
        production=settings.is_production,
        explorer_assets=_EXPLORER_ASSETS,
        session_cookie=_SESSION_COOKIE,
        secure_cookies=settings.is_production or settings.base_url.startswith("https://"),
        allowed_origins=frozenset(settings.allowed_origins),
        trusted_proxies=settings.trusted_proxies,
    )
    endpoint = graphql_endpoint(
        graphql_schema,
        Authentication(runtime, _SESSION_COOKIE),
        graphql,
        classify=classify,
        ending=backend.ending,
    )
    routes = stripe_event_routes(runtime.database, backend.event_secrets, lambda: _reload_event_secrets(backend))
    routes += file_routes(runtime.avatars)
    routes += health_routes(runtime.database)
    routes += page_routes(
        partial(customer_returned, backend.flow_context), leads_to_explorer=not settings.is_production
    )
    if not settings.is_production:
        routes += dev_routes(runtime.database, _advance(backend) if settings.uses_sandbox else None)
    return Application(endpoint, routes, https=graphql.secure_cookies)


async def work(backend: Backend, stopping: asyncio.Event) -> None:
    """The worker: the queue's tasks and what falls due, until `stopping` is set."""
    events = EVENT_TYPES if backend.polls_events else ()
    async with asyncio.TaskGroup() as group:
        by_name = tasks(
            backend.flow_context,
            backend.mailer,
            backend.runtime.keys,
            public_url=backend.runtime.public_url,
            operator_address=backend.runtime.sales_address,
        )
        group.create_task(consume(backend.database_url, by_name, stopping))
        works = due_works(backend.flow_context, backend.runtime.keys, polled_events=events)
        works += usage_works(backend.flow_context)
        works += _provider_works(backend, at_once=False)
        group.create_task(schedule.watch(works, stopping))
        # apart from the others, which must not wait for thousands of customers, or for a storage that hangs
        group.create_task(schedule.watch(customer_works(backend.flow_context), stopping))
        group.create_task(schedule.watch(storage_works(backend.runtime.database, backend.runtime.avatars), stopping))


async def set_up_provider(backend: Backend) -> None:
    """Sync the catalog, make the endpoint for events and set up the portal, trying again until the provider answers."""
    outage_log = OutageLog()
    for pause in retry_delays():
        try:
            await _set_up_provider(backend)
        except (GatewayUnavailable, GatewayRefused) as error:
            if outage_log.should_log("provider", error):
                _log.warning("provider.set_up_failed", error=one_line(error))
            await asyncio.sleep(pause)
        else:
            if outage_log.clear("provider"):
                _log.info("provider.set_up")
            return


async def _set_up_provider(backend: Backend) -> None:
    await sync_catalog(backend.flow_context)
    await _check_event_endpoint(backend)
    # last: a key that may not set up the portal keeps nothing else from working
    await sync_portals(backend.flow_context)


async def _check_event_endpoint(backend: Backend) -> None:
    """Make the endpoint for events, or set it right; warn of what is wrong with one that an operator made."""
    given = backend.settings.stripe_webhook_secret
    if given is not None:
        backend.event_secrets[:] = [given]
        await _warn_of_endpoint(backend)
    elif not backend.polls_events:
        url = backend.settings.base_url + EVENTS_PATH
        secret = await ensure_event_endpoint(backend.flow_context, url, EVENT_TYPES, backend.cipher)
        backend.event_secrets[:] = [secret]


async def _warn_of_endpoint(backend: Backend) -> None:
    settings = backend.settings
    if settings.public_url is None and not settings.uses_sandbox:
        return  # the events are forwarded to this machine by a program, such as Stripe's own for development
    # a restricted key may not be allowed to read the endpoints
    with suppress(GatewayUnavailable, GatewayRefused):
        problems = await endpoint_problems(backend.flow_context, settings.base_url + EVENTS_PATH, EVENT_TYPES)
        if problems != backend.endpoint_problems:
            backend.endpoint_problems = problems
            for problem in problems:
                _log.warning("webhook.incomplete", problem=problem)


async def _reload_event_secrets(backend: Backend) -> None:
    """Take the secret that is stored: another process may have made the endpoint anew."""
    if backend.settings.stripe_webhook_secret is None and not backend.polls_events:
        url = backend.settings.base_url + EVENTS_PATH
        secret = await stored_secret(backend.flow_context, url, backend.cipher)
        if secret is not None:
            backend.event_secrets[:] = [secret]


def _provider_works(backend: Backend, *, at_once: bool) -> list[schedule.DueWork]:
    seconds = 0 if backend.polls_events else backend.settings.event_check_seconds
    return provider_works(
        backend.flow_context,
        lambda: _check_event_endpoint(backend),
        event_types=EVENT_TYPES,
        look_every=timedelta(seconds=seconds),
        at_once=at_once,
    )


def _mailer(settings: Settings, database: Database) -> Mailer:
    if settings.smtp_url is None:
        return InboxMailer(database)
    return SmtpMailer.from_url(settings.smtp_url, settings.mail_from)


def _twilio(settings: Settings) -> TwilioSmsSender | None:
    account, token, verify = (
        settings.twilio_account_sid,
        settings.twilio_auth_token,
        settings.twilio_verify_service_sid,
    )
    if account is None or token is None or verify is None:
        return None
    return TwilioSmsSender(account, token, verify, base_url=settings.twilio_base_url)


def _advance(backend: Backend) -> Callable[[timedelta], asyncio.Future[datetime]]:
    works = due_works(backend.flow_context, backend.runtime.keys, polled_events=())
    works += usage_works(backend.flow_context)
    works += customer_works(backend.flow_context)
    works += storage_works(backend.runtime.database, backend.runtime.avatars)
    works += _provider_works(backend, at_once=True)
    sandbox = SandboxControl(f"http://127.0.0.1:{backend.settings.sandbox_port}")

    def advance(by: timedelta) -> asyncio.Future[datetime]:
        return asyncio.ensure_future(time_travel.advance(backend.runtime.database, works, sandbox, by))

    return advance
