"""The floor of live updates: a socket server written for one message, that sends ready bytes to everyone and knows nobody.

`python -m bench.live_floor PORT`; each line on standard input is sent to every subscriber.
"""

from __future__ import annotations

import sys

import orjson
import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.typing import Subprotocol

from bench.live_load import SUBPROTOCOL, standard_input


async def main(port: int) -> None:
    """Serve until standard input ends."""
    subscribers: set[ServerConnection] = set()

    async def handle(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.send('{"type":"connection_ack"}')
        subscribe = orjson.loads(await socket.recv())
        await socket.send(orjson.dumps({"id": subscribe["id"], "type": "next", "payload": {"data": None}}).decode())
        subscribers.add(socket)
        try:
            await socket.wait_closed()
        finally:
            subscribers.discard(socket)

    lines = await standard_input()
    async with serve(handle, "127.0.0.1", port, subprotocols=[Subprotocol(SUBPROTOCOL)], compression=None):
        async for line in lines:
            broadcast(subscribers, line.rstrip(b"\n"), text=True)


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
