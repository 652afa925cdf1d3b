"""The socket that a server listens on."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from app.server.start_error import StartError
from app.settings import Settings

_BACKLOG: Final = 2048


_NOT_OURS: Final = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


_SET_HOST: Final = "Set HOST to an address of this machine, such as 127.0.0.1, or to 0.0.0.0 for all of them."


@contextmanager
def listening(settings: Settings) -> Generator[socket.socket]:
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
