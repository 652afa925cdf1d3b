"""What is said of work that fails and is tried again: a line for what is merely away, a traceback for what nobody foresaw."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from socket import gaierror

from sqlalchemy.exc import DBAPIError

from app.db.engine import is_away
from app.errors import Unavailable
from app.messages.mail import MailNotTaken
from app.object_storage import StorageUnavailable
from app.payments.gateway_values import GatewayRefused, GatewayUnavailable

# their words are written to be logged
_OURS = (GatewayUnavailable, StorageUnavailable, MailNotTaken, Unavailable)
_SYSTEM = (ConnectionError, TimeoutError, gaierror)
_SAYS_AGAIN_SECONDS = 60.0
_FIRST_PAUSE_SECONDS = 5.0
_LONGEST_PAUSE_SECONDS = 60.0
# Stripe names each request in its errors
_REQUEST = re.compile(r"\breq_\w+")


def log_fields(error: Exception) -> Mapping[str, object]:
    """What a log line says of a failure: its type and reason where something is away, its traceback where not."""
    cause = _cause(error)
    if isinstance(cause, _OURS):
        return {"error": type(cause).__name__, "reason": one_line(cause)}
    if isinstance(cause, _SYSTEM):
        return {"error": type(cause).__name__, "reason": cause.strerror or ""}
    if is_away(error):
        # a driver's words may repeat what was written
        return {"error": type(cause).__name__, "reason": "the database is away"}
    return {"exc_info": error}


def one_line(error: GatewayUnavailable | GatewayRefused | StorageUnavailable | MailNotTaken | Unavailable) -> str:
    """The words of an error, on one line."""
    return " ".join(str(error).split())


def _cause(error: Exception) -> BaseException:
    """The driver's own error, where SQLAlchemy has wrapped it twice."""
    if not isinstance(error, DBAPIError) or error.orig is None:
        return error
    return error.orig.__cause__ or error.orig


def retry_delays() -> Iterator[float]:
    """How many seconds to wait before each further attempt at what is away: 5, then twice as long each time, up to a minute."""
    pause = _FIRST_PAUSE_SECONDS
    while True:
        yield pause
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


class OutageLog:
    """Keeps what stays wrong from being said more than once a minute; what has become something else is news at once."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._said: dict[str, tuple[str, float]] = {}

    def is_news(self, about: str, error: Exception) -> bool:
        """Whether to say that `about` fails with this error; if so, it counts as said."""
        now, reason = self._clock(), f"{type(error).__name__} {_REQUEST.sub('', str(error))}"
        said, at = self._said.get(about, ("", 0.0))
        if said == reason and now - at < _SAYS_AGAIN_SECONDS:
            return False
        self._said[about] = reason, now
        return True

    def settle(self, about: str) -> bool:
        """Forget what was said, since `about` went well; whether anything had been."""
        return self._said.pop(about, None) is not None
