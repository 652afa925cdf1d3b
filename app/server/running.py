"""Running a server: what is started before it, and ended after it, whatever ends it."""

from __future__ import annotations

import asyncio
import socket
from contextlib import nullcontext
from functools import partial
from typing import Final

import structlog
import uvloop

from app.main import open_backend, set_up_provider, work
from app.server.database import check_database, database_running, migrate_database
from app.server.demo_user import seed_demo
from app.server.home import one_per_home, secret_key
from app.server.listener import listening
from app.server.sandbox_process import sandbox_running
from app.server.signals import exit_on_signals, until_signalled
from app.server.start_error import StartError
from app.server.startup_log import log_started, print_addresses, warn_of_missing_senders, warn_of_root
from app.server.uvicorn_server import Server
from app.settings import Settings

_FIRST_SET_UP_SECONDS: Final = 15.0

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


def run_development(settings: Settings) -> None:
    """Run everything on this machine until Ctrl-C or SIGTERM, and end all of it."""
    exit_on_signals()
    warn_of_root(settings)
    with one_per_home(settings.counterfoil_home), database_running(settings, keep_if_found=False) as url:
        asyncio.run(migrate_database(url))
        with sandbox_running(settings, url):
            uvloop.run(_serve(settings, url, serves=True, works=True, is_development=True))


def run_server(settings: Settings, *, serves: bool, works: bool) -> None:
    """Serve the API and run the worker, as asked, until Ctrl-C or SIGTERM. Raises `StartError` without a database."""
    exit_on_signals()
    if settings.database_url is None:
        raise StartError("DATABASE_URL is missing. To run everything on this machine, use `counterfoil dev`.")
    uvloop.run(_serve(settings, settings.database_url, serves=serves, works=works, is_development=False))


async def _serve(settings: Settings, url: str, *, serves: bool, works: bool, is_development: bool) -> None:
    await check_database(url)
    warn_of_missing_senders(settings)
    with listening(settings) if serves else nullcontext() as listener:
        await _run(settings, url, listener, works=works, is_development=is_development)


async def _run(
    settings: Settings, url: str, listener: socket.socket | None, *, works: bool, is_development: bool
) -> None:
    async with open_backend(settings, url, secret_key(settings)) as backend:
        if is_development:
            runtime = backend.runtime
            await seed_demo(runtime.database, runtime.keys.abuse_key, runtime.trials)
        set_up = asyncio.create_task(set_up_provider(backend))
        # In development everything is there when the address is printed; in production the provider must not keep us from serving.
        await asyncio.wait([set_up], timeout=_FIRST_SET_UP_SECONDS if is_development else 0)
        stopping = asyncio.Event()
        worker = asyncio.create_task(work(backend, stopping)) if works else None
        started = (
            partial(print_addresses, settings)
            if is_development
            else partial(log_started, backend, listener, works=works)
        )
        try:
            if listener is not None:
                await Server(backend, on_started=started).serve(sockets=[listener])
            elif worker is not None:
                started()
                await until_signalled()
        finally:
            stopping.set()
            set_up.cancel()
            await asyncio.gather(*(task for task in (worker, set_up) if task is not None), return_exceptions=True)
            if not is_development:
                _log.info("worker.ended" if listener is None else "server.ended")
