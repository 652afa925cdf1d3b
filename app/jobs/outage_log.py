"""Logging of work that fails and is retried: one line for an outage, a traceback for an unexpected error."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from socket import gaierror

from sqlalchemy.exc import DBAPIError

from app.db.engine import is_away
from app.errors import Unavailable
from app.messages.mail import MailDeferred
from app.object_storage import StorageUnavailable
from app.payments.gateway_errors import GatewayRefused, GatewayUnavailable

# their messages are written to be logged
_OURS = (GatewayUnavailable, StorageUnavailable, MailDeferred, Unavailable)
_SYSTEM = (ConnectionError, TimeoutError, gaierror)
_LOGS_AGAIN_SECONDS = 60.0
_FIRST_PAUSE_SECONDS = 5.0
_LONGEST_PAUSE_SECONDS = 60.0
# Stripe names each request in its errors
_REQUEST = re.compile(r"\breq_\w+")


def log_fields(error: Exception) -> Mapping[str, object]:
    """The fields of a log line about a failure: type and reason for an outage, the traceback for any other error."""
    cause = _cause(error)
    if isinstance(cause, _OURS):
        return {"error": type(cause).__name__, "reason": one_line(cause)}
    if isinstance(cause, _SYSTEM):
        return {"error": type(cause).__name__, "reason": cause.strerror or ""}
    if is_away(error):
        # a driver's message may repeat the data that was written
        return {"error": type(cause).__name__, "reason": "the database is away"}
    return {"exc_info": error}


def one_line(error: GatewayUnavailable | GatewayRefused | StorageUnavailable | MailDeferred | Unavailable) -> str:
    """The message of an error on one line."""
    return " ".join(str(error).split())


def _cause(error: Exception) -> BaseException:
    """The driver's own error, where SQLAlchemy has wrapped it twice."""
    if not isinstance(error, DBAPIError) or error.orig is None:
        return error
    return error.orig.__cause__ or error.orig


def retry_delays() -> Iterator[float]:
    """The seconds to wait before each retry during an outage: twice as long each time, up to `_LONGEST_PAUSE_SECONDS`."""
    pause = _FIRST_PAUSE_SECONDS
    while True:
        yield pause
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


class OutageLog:
    """Keeps a continuing failure from being logged again within `_LOGS_AGAIN_SECONDS`; another error is logged at once."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._logged: dict[str, tuple[str, float]] = {}

    def should_log(self, about: str, error: Exception) -> bool:
        """Whether to log that `about` fails with this error; if so, it counts as logged."""
        now, reason = self._clock(), f"{type(error).__name__} {_REQUEST.sub('', str(error))}"
        logged, at = self._logged.get(about, ("", 0.0))
        if logged == reason and now - at < _LOGS_AGAIN_SECONDS:
            return False
        self._logged[about] = reason, now
        return True

    def clear(self, about: str) -> bool:
        """Forget the failure of `about`, which works again; returns whether one had been logged."""
        return self._logged.pop(about, None) is not None
