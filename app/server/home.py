"""The folder that development keeps its data in: its lock, and the secret key it makes up."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from app.server.start_error import StartError
from app.settings import Settings


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


@contextmanager
def one_per_home(home: Path) -> Generator[None]:
    """Hold the folder's lock; raises `StartError` while another process holds it."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StartError(
                f"Another Counterfoil runs on {home}: end it, or set COUNTERFOIL_HOME to another folder."
            ) from None
        yield
