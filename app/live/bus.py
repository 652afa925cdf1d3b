"""The bus: carries hints between processes over broadcaster, and comes back by itself when its connection is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeAlias, cast

import structlog
from broadcaster import Broadcast

from app.live.backoff import retry_delay_seconds
from app.live.hints import CHANNEL, HEARTBEAT, Hint, HintKey, decode_hints, encode_hints, fold_hints
from app.live.transports import LOST, Events, connected, is_transactional

OnHints: TypeAlias = Callable[[Sequence[Hint]], None]
OnListening: TypeAlias = Callable[[], None]

# Hints that wait while the connection is away; beyond it they are dropped, and the regular check of each state heals that.
_MAX_WAITING: Final = 10_000
_SEND_SECONDS: Final = 5.0
_CLOSE_SECONDS: Final = 3.0

_log = structlog.get_logger(__name__)


class ConnectionWasLost(ConnectionError):
    """The transport's connection ended, or carries nothing any more."""


class Bus:
    """One subscription and one sender a process, on one connection at a time.

    `url` is `postgresql://…`, `redis://…`, `rediss://…` or, within one process, `memory://`. On a connection that is silent for
    `silence_seconds` a heartbeat is sent; if nothing is heard for `answer_seconds` more, the connection counts as lost.
    """

    def __init__(self, url: str, *, silence_seconds: float = 10.0, answer_seconds: float = 10.0) -> None:
        self.transactional_channel: Final = CHANNEL if is_transactional(url) else None
        """Where a unit of work sends `SELECT pg_notify(channel, payload)` in its transaction; None: it publishes after it."""
        self.listening = False
        """Whether hints arrive right now."""
        self._url = url
        self._silence_seconds = silence_seconds
        self._answer_seconds = answer_seconds
        self._waiting: dict[HintKey, Hint] = {}
        self._dropped = 0
        self._send_now = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None

    async def start(self, on_hints: OnHints, on_listening: OnListening) -> None:
        """Listen until `aclose`; returns after the first attempt to connect, and goes on trying if it failed.

        `on_hints` gets what other processes and this one publish. `on_listening` is called each time that listening begins, at
        first and after a loss: hints from before may be missing, so whatever is shown must be read again.
        """
        if self._task is not None:
            raise RuntimeError("the bus has been started already")
        tried = asyncio.Event()
        self._task = asyncio.create_task(self._run(on_hints, on_listening, tried), name="live bus")
        await tried.wait()

    def encode(self, hints: Sequence[Hint]) -> list[str]:
        """The payloads that carry these hints, for a transaction to send."""
        return encode_hints(hints)

    async def publish(self, hints: Sequence[Hint]) -> None:
        """Hand hints over to be sent; neither waits for the transport nor fails with it.

        Hints that meet while others are being sent go out together, one per object. During an outage up to 10,000 objects'
        hints wait for the next connection.
        """
        self._keep(hints)
        self._send_now.set()

    async def aclose(self) -> None:
        """Send what waits, if the transport takes it within three seconds, and disconnect."""
        self._closing = True
        self._send_now.set()
        if self._task is None:
            return
        if self.listening:
            await asyncio.wait({self._task}, timeout=_CLOSE_SECONDS)
        self._task.cancel()
        await asyncio.wait({self._task})

    async def _run(self, on_hints: OnHints, on_listening: OnListening, tried: asyncio.Event) -> None:
        failures = 0
        while not self._closing:
            try:
                async with connected(self._url) as (broadcast, events):
                    failures = 0
                    self.listening = True
                    _log.info("live.bus_listening")
                    on_listening()
                    tried.set()
                    await self._converse(broadcast, events, on_hints)
            except Exception as error:
                _log.warning("live.bus_lost", error=_reason(error))
            finally:
                self.listening = False
                tried.set()
            if not self._closing:
                failures += 1
                await asyncio.sleep(retry_delay_seconds(failures))

    async def _converse(self, broadcast: Broadcast, events: Events, on_hints: OnHints) -> None:
        async with asyncio.TaskGroup() as group:
            hearing = group.create_task(self._hear(events, on_hints))
            await self._send(broadcast)
            hearing.cancel()

    async def _hear(self, events: Events, on_hints: OnHints) -> None:
        awaiting_heartbeat = False
        while True:
            try:
                async with asyncio.timeout(self._answer_seconds if awaiting_heartbeat else self._silence_seconds):
                    event = await events.get()
            except TimeoutError:
                if awaiting_heartbeat:
                    raise ConnectionWasLost("a heartbeat did not come back") from None
                awaiting_heartbeat = True
                self._send_now.set()
                continue
            if event is LOST:
                raise ConnectionWasLost("the connection was closed")
            awaiting_heartbeat = False
            if hints := decode_hints(event.message):
                on_hints(hints)

    async def _send(self, broadcast: Broadcast) -> None:
        """Send what waits each time there is something, one message after the other; returns when the bus closes."""
        while True:
            await self._send_now.wait()
            self._send_now.clear()
            batch, self._waiting = self._waiting, {}
            if batch or not self._closing:
                await self._send_batch(broadcast, batch)
            if self._closing and not self._waiting:
                return

    async def _send_batch(self, broadcast: Broadcast, batch: dict[HintKey, Hint]) -> None:
        """Send the hints, or a heartbeat where there are none; what fails is kept for the next connection, as is what was sent
        before it, since a hint may arrive twice."""
        try:
            for payload in encode_hints(batch.values()) or [HEARTBEAT]:
                async with asyncio.timeout(_SEND_SECONDS):
                    await broadcast.publish(CHANNEL, payload)
        except BaseException:
            self._keep(batch.values())
            self._send_now.set()
            raise
        if self._dropped:
            _log.warning("live.hints_dropped", count=self._dropped)
            self._dropped = 0

    def _keep(self, hints: Iterable[Hint]) -> None:
        fold_hints(hints, into=self._waiting)
        while len(self._waiting) > _MAX_WAITING:
            self._waiting.popitem()
            self._dropped += 1


def _reason(error: Exception) -> str:
    """What went wrong, in one line; of a group, its parts."""
    if isinstance(error, ExceptionGroup):
        return "; ".join(map(_reason, cast("ExceptionGroup[Exception]", error).exceptions))
    return f"{type(error).__name__}: {error}"
