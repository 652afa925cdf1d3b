"""What a server says when it has started, and what it warns of."""

from __future__ import annotations

import os
import socket
from importlib.metadata import version

import structlog
from rich.console import Console

from app.main import Backend
from app.server.demo_user import DEMO_ADDRESS, DEMO_PASSWORD
from app.settings import Settings

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


def warn_of_missing_senders(settings: Settings) -> None:
    """Warn of a production without a mail server, or without what texts codes."""
    if settings.is_production and settings.smtp_url is None:
        _log.warning("SMTP_URL is not set: mails are kept where nobody reads them, so nobody can sign up.")
    if settings.is_production and settings.twilio_verify_service_sid is None:
        _log.warning(
            "TWILIO_VERIFY_SERVICE_SID is not set: codes are kept where nobody reads them, so no phone can be verified."
        )


def log_started(backend: Backend, listener: socket.socket | None, *, works: bool) -> None:
    """Log that the server listens, or the worker works where there is no `listener`."""
    about = {"version": version("counterfoil"), "catalog": backend.runtime.catalog.code}
    if listener is None:
        _log.info("worker.started", **about)
    else:
        host, port = listener.getsockname()[:2]
        _log.info("server.started", host=host, port=port, with_worker=works, **about)


def print_addresses(settings: Settings) -> None:
    """Print where a developer finds what runs now."""
    base = settings.base_url
    console = Console(highlight=False)
    console.print(f"\n[bold]Counterfoil is running.[/bold]  Catalog: {settings.catalog}")
    console.print(f"  GraphiQL   {base}/graphql")
    console.print(f"  Sign in    {DEMO_ADDRESS} with password {DEMO_PASSWORD}")
    console.print(f"  Mail, SMS  {base}/dev/inbox")
    if settings.uses_sandbox:
        console.print(f"  Stripe     sandbox on http://127.0.0.1:{settings.sandbox_port} (no real money)")
    console.print("  Ctrl-C ends all of it.\n")


def warn_of_root(settings: Settings) -> None:
    """Warn of an embedded PostgreSQL that is run as root."""
    if settings.database_url is None and os.geteuid() == 0:
        _log.warning(
            "Running as root: PostgreSQL opens the folders above its data to other users. Prefer a plain user."
        )
