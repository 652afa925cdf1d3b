"""A PostgreSQL that lets nobody in."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread


@contextmanager
def refusing_postgres(sqlstate: str, message: str) -> Generator[int]:
    """Something that answers every start of a connection with an error of PostgreSQL's; its port."""
    fields = f"SFATAL\0VFATAL\0C{sqlstate}\0M{message}\0\0".encode()

    class Refusal(BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65536)
            self.request.sendall(b"E" + (len(fields) + 4).to_bytes(4, "big") + fields)

    with ThreadingTCPServer(("127.0.0.1", 0), Refusal) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
