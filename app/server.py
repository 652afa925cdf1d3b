"""Running a server: what is started before it, and ended after it, whatever ends it."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Final

import asyncpg
import structlog
import uvicorn
import uvloop
from rich.console import Console
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

from app.accounts.people.email_syntax import parse_email
from app.accounts.people.users import NewUser, create_user
from app.accounts.security.account_errors import EmailTaken
from app.accounts.security.passwords import Passwords
from app.db import embedded, migrate
from app.db.engine import Database, Session, connect
from app.db.unit_of_work import transact
from app.main import Backend, open_backend, set_up_provider, web_app, work
from app.settings import Settings

DEMO_ADDRESS: Final = "demo@example.com"
DEMO_PASSWORD: Final = "counterfoil-demo"

_BACKLOG: Final = 2048
_GRACE_SECONDS: Final = 10
_SANDBOX_ENDS_WITHIN_SECONDS: Final = 5.0
_FIRST_SET_UP_SECONDS: Final = 15.0
_NOT_OURS: Final = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})
_SET_HOST: Final = "Set HOST to an address of this machine, such as 127.0.0.1, or to 0.0.0.0 for all of them."

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class StartError(Exception):
    """The server can't start as it was asked to; the message says what to do."""


def database_folder(settings: Settings) -> Path:
    """Where the embedded PostgreSQL keeps its data."""
    return settings.counterfoil_home / "postgres"


def secret_key(settings: Settings) -> str:
    """The secret key of the settings; development makes its own and keeps it beside its data."""
    if settings.secret_key is not None:
        return settings.secret_key
    path = settings.counterfoil_home / "secret_key"
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32))
    return path.read_text()


def run_development(settings: Settings) -> None:
    """Run everything on this machine until Ctrl-C or SIGTERM, and end all of it."""
    _exit_on_signals()
    with _only_one(settings.counterfoil_home), _database(settings) as url:
        asyncio.run(migrate_database(url))
        with _sandbox(settings, url):
            uvloop.run(_serve(settings, url, serves=True, works=True, is_development=True))


def run_server(settings: Settings, *, serves: bool, works: bool) -> None:
    """Serve the API and run the worker, as asked, until Ctrl-C or SIGTERM. Raises `StartError` without a database."""
    _exit_on_signals()
    if settings.database_url is None:
        raise StartError("DATABASE_URL is missing. To run everything on this machine, use `counterfoil dev`.")
    uvloop.run(_serve(settings, settings.database_url, serves=serves, works=works, is_development=False))


async def seed_demo(database: Database, abuse_key: bytes) -> bool:
    """Make the demo user, verified and with neither phone nor card; False when it is there already."""
    hashed = await Passwords().hash(DEMO_PASSWORD)

    async def make(session: Session) -> None:
        await create_user(session, abuse_key, NewUser(parse_email(DEMO_ADDRESS), hashed, "demo", "Demo", "User"))

    try:
        await transact(database, make, step="seed")
    except EmailTaken:
        return False
    return True


async def check_database(url: str) -> None:
    """Raise `StartError` unless the database can be reached and is at the newest schema."""
    engine = connect(url, pool_size=1)
    try:
        with _reaching(url):
            newest = await migrate.is_newest(engine)
    finally:
        await engine.dispose()
    if not newest:
        raise StartError("The database is not at the newest schema: run `counterfoil migrate` first.")


async def migrate_database(url: str) -> None:
    """Bring the database to the newest schema; raises `StartError` unless it can be reached."""
    engine = connect(url, pool_size=1)
    try:
        with _reaching(url):
            async with engine.connect():
                pass
        # what goes wrong from here on is no matter of settings
        await migrate.upgrade(engine)
    finally:
        await engine.dispose()


@contextmanager
def _reaching(url: str) -> Generator[None]:
    try:
        yield
    except (OSError, DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        reason = _without_user(_reason(error), url)
        raise StartError(f"The database can't be reached: {reason}. Look at DATABASE_URL.") from error


def _reason(error: Exception) -> str:
    """Why there is no connection, in PostgreSQL's or the system's own words."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        cause = error.orig.__cause__
        error = cause if isinstance(cause, Exception) else error
    if isinstance(error, asyncpg.PostgresError):
        return str(error.args[0] if error.args else "").strip().rstrip(".") or type(error).__name__
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__


def _without_user(reason: str, url: str) -> str:
    user = make_url(url).username
    # as PostgreSQL tells names in English; a database is often called like its user, and is told
    return re.sub(rf'(user|role) "{re.escape(user)}"', r"this \1", reason) if user else reason


def _warn_of_what_goes_nowhere(settings: Settings) -> None:
    if settings.is_production and settings.smtp_url is None:
        _log.warning("SMTP_URL is not set: mails are kept where nobody reads them, so nobody can sign up.")
    if settings.is_production and settings.twilio_verify_service_sid is None:
        _log.warning(
            "TWILIO_VERIFY_SERVICE_SID is not set: codes are kept where nobody reads them, so no phone can be verified."
        )


async def _serve(settings: Settings, url: str, *, serves: bool, works: bool, is_development: bool) -> None:
    await check_database(url)
    _warn_of_what_goes_nowhere(settings)
    with _listening(settings) if serves else nullcontext() as listener:
        await _run(settings, url, listener, works=works, is_development=is_development)


async def _run(
    settings: Settings, url: str, listener: socket.socket | None, *, works: bool, is_development: bool
) -> None:
    async with open_backend(settings, url, secret_key(settings)) as backend:
        if is_development:
            await seed_demo(backend.runtime.database, backend.runtime.keys.abuse_key)
        set_up = asyncio.create_task(set_up_provider(backend))
        # In development everything is there when the address is printed; in production the provider must not keep us from serving.
        await asyncio.wait([set_up], timeout=_FIRST_SET_UP_SECONDS if is_development else 0)
        stopping = asyncio.Event()
        worker = asyncio.create_task(work(backend, stopping)) if works else None
        started = partial(_greet, settings) if is_development else partial(_say_started, backend, listener, works=works)
        try:
            if listener is not None:
                await _Server(backend, on_started=started).serve(sockets=[listener])
            elif worker is not None:
                started()
                await _until_signalled()
        finally:
            stopping.set()
            set_up.cancel()
            await asyncio.gather(*(task for task in (worker, set_up) if task is not None), return_exceptions=True)
            if not is_development:
                _log.info("worker.ended" if listener is None else "server.ended")


@contextmanager
def _listening(settings: Settings) -> Generator[socket.socket]:
    """The socket that the server answers on; raises `StartError` for an address or a port that can't be had."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    wanted = f"Nothing can listen on {settings.host} port {settings.port}"
    try:
        address = socket.getaddrinfo(settings.host, settings.port, family, socket.SOCK_STREAM)[0][4]
    except (OSError, UnicodeError):
        raise StartError(f"{wanted}: no address is known by that name. {_SET_HOST}") from None
    try:
        listener = socket.create_server(address, family=family, backlog=_BACKLOG)
    except OSError as error:
        advice = _SET_HOST if error.errno in _NOT_OURS else "Set PORT to a free one."
        raise StartError(f"{wanted}: {os.strerror(error.errno or 0)}. {advice}") from None
    with listener:
        yield listener


class _Server(uvicorn.Server):
    """uvicorn, which tells the streams that it is ending before it waits for them."""

    def __init__(self, backend: Backend, *, on_started: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                web_app(backend),
                loop="none",
                ws="websockets-sansio",
                ws_max_size=1024 * 1024,
                # compressing small messages costs more memory and time than it saves
                ws_per_message_deflate=False,
                log_config=None,
                access_log=False,
                server_header=False,
                # whose headers are believed is for TRUSTED_PROXIES to say; uvicorn would believe this machine's
                proxy_headers=False,
                timeout_graceful_shutdown=_GRACE_SECONDS,
            )
        )
        self._ending = backend.ending
        self._on_started = on_started

    async def startup(self, sockets: list[object] | None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Start listening, then say so."""
        await super().startup(sockets)  # pyright: ignore[reportArgumentType]
        if self.started:
            self._on_started()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop; sockets are closed with 1012 so that clients come back."""
        self._ending.set()
        super().handle_exit(sig, frame)


async def _until_signalled() -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()


def _exit_on_signals() -> None:
    """uvicorn raises the signal that ended it again: it must end this process by unwinding it, not by killing it."""

    def leave(_number: int, _frame: FrameType | None) -> None:
        sys.exit(0)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, leave)


@contextmanager
def _only_one(home: Path) -> Generator[None]:
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StartError(
                f"Another Counterfoil runs on {home}: end it, or set COUNTERFOIL_HOME to another folder."
            ) from None
        yield


@contextmanager
def _database(settings: Settings) -> Generator[str]:
    if settings.database_url is not None:
        yield settings.database_url
        return
    if os.geteuid() == 0:
        _log.warning(
            "Running as root: PostgreSQL opens the folders above its data to other users. Prefer a plain user."
        )
    with embedded.running(database_folder(settings), keep_if_found=False) as url:
        yield url


@contextmanager
def _sandbox(settings: Settings, url: str) -> Generator[None]:
    """The Stripe sandbox as a child that ends with this process, even if that is killed: the end of its input tells it."""
    if not settings.uses_sandbox:
        yield
        return
    command = [
        sys.executable,
        "-m",
        "sandbox",
        "--port",
        str(settings.sandbox_port),
        "--database-url",
        url,
        "--exit-with-stdin",
    ]
    child = subprocess.Popen(  # noqa: S603
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[1], start_new_session=True
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        if not child.stdout.readline():
            raise StartError(
                f"The Stripe sandbox did not start on port {settings.sandbox_port}: set SANDBOX_PORT to a free one."
            )
        yield
    finally:
        child.stdin.close()
        try:
            child.wait(_SANDBOX_ENDS_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _say_started(backend: Backend, listener: socket.socket | None, *, works: bool) -> None:
    about = {"version": version("counterfoil"), "catalog": backend.runtime.catalog.code}
    if listener is None:
        _log.info("worker.started", **about)
    else:
        host, port = listener.getsockname()[:2]
        _log.info("server.started", host=host, port=port, with_worker=works, **about)


def _greet(settings: Settings) -> None:
    base = settings.base_url
    console = Console(highlight=False)
    console.print(f"\n[bold]Counterfoil is running.[/bold]  Catalog: {settings.catalog}")
    console.print(f"  GraphiQL   {base}/graphql")
    console.print(f"  Sign in    {DEMO_ADDRESS} with password {DEMO_PASSWORD}")
    console.print(f"  Mail, SMS  {base}/dev/inbox")
    if settings.uses_sandbox:
        console.print(f"  Stripe     sandbox on http://127.0.0.1:{settings.sandbox_port} (no real money)")
    console.print("  Ctrl-C ends all of it.\n")
