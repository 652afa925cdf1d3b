"""The Stripe sandbox, as a child of the server."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from app.server.start_error import StartError
from app.settings import Settings

_ENDS_WITHIN_SECONDS: Final = 5.0
_ROOT: Final = Path(__file__).parents[2]


@contextmanager
def sandbox_running(settings: Settings, url: str) -> Generator[None]:
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
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=_ROOT, start_new_session=True
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
            child.wait(_ENDS_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
