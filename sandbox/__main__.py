"""The command line: `python -m sandbox --port 8001 --database-url postgresql://…`."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
import threading
from types import FrameType

import uvicorn

from sandbox.server import create_app


class Server(uvicorn.Server):
    """uvicorn's server; it prints a line when it is ready."""

    def __init__(self, config: uvicorn.Config, base_url: str) -> None:
        super().__init__(config)
        self._base_url = base_url

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then print the line that a parent process waits for."""
        await super().startup(sockets)
        if self.started:
            print(f"sandbox ready on {self._base_url}", flush=True)


def main() -> None:
    """Serve on loopback until SIGTERM, SIGINT or, with --exit-with-stdin, the end of standard input."""
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=8001, help="0 takes a free one")
    parser.add_argument("--database-url", required=True)
    parser.add_argument("--exit-with-stdin", action="store_true", help="end when standard input ends")
    arguments = parser.parse_args()

    listener = _listen(arguments.port)
    base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    config = uvicorn.Config(
        create_app(arguments.database_url, base_url),
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=2,
    )
    server = Server(config, base_url)
    # uvicorn raises the signal again after its shutdown: without these handlers that would kill the process
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _exit)
    if arguments.exit_with_stdin:
        threading.Thread(target=_exit_with_stdin, args=(server,), daemon=True).start()
    server.run(sockets=[listener])
    sys.exit(0 if server.started else 1)


def _listen(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        sys.exit(f"sandbox: port {port} can't be used: {error}")
    listener.set_inheritable(True)
    return listener


def _exit_with_stdin(server: uvicorn.Server) -> None:
    # unbuffered: a buffered reader in a thread would hold its lock when the interpreter ends
    while os.read(sys.stdin.fileno(), 4096):
        pass
    server.should_exit = True


def _exit(number: int, frame: FrameType | None) -> None:
    sys.exit(0)


if __name__ == "__main__":
    main()
