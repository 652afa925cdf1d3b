"""uvicorn, as this product runs it."""

from __future__ import annotations

from collections.abc import Callable
from types import FrameType
from typing import Final

import uvicorn
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from app.asgi.graphql.websocket import CloseCode
from app.main import Backend, web_app

_GRACE_SECONDS: Final = 10


class Sockets(WebSocketsSansIOProtocol):
    """uvicorn's WebSockets, with a close code that has clients come back when they did not answer a ping."""

    def keepalive_timeout(self) -> None:
        """End a connection whose client is silent, most likely a device that sleeps: uvicorn's 1011 would tell it to give up."""
        self.pong_timer = None
        self.pending_ping_payload = None
        if self.close_sent or self.transport.is_closing():
            return
        self.conn.fail(CloseCode.TRY_AGAIN_LATER, "No answer to a ping")
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.transport.close()


class Server(uvicorn.Server):
    """uvicorn, which tells the streams that it is ending before it waits for them."""

    def __init__(self, backend: Backend, *, on_started: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                web_app(backend),
                loop="none",
                ws=Sockets,
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
