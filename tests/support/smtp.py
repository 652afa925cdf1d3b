"""A mail server for tests: it speaks SMTP, keeps what it is given, and refuses on demand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage


@dataclass(slots=True)
class MailServer:
    """`refusal` is the answer to every recipient while it is set, such as `550 no such mailbox`.

    It offers no encryption, but takes any password; `logins` holds what was sent to it.
    """

    port: int = 0
    refusal: str | None = None
    received: list[EmailMessage] = field(default_factory=list[EmailMessage])
    logins: list[bytes] = field(default_factory=list[bytes])

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One conversation."""

        async def say(line: str) -> None:
            writer.write(f"{line}\r\n".encode())
            await writer.drain()

        await say("220 test ESMTP")
        while line := await reader.readline():
            match line.split(maxsplit=1)[0].upper():
                case b"EHLO":
                    await say("250-test")
                    await say("250 AUTH PLAIN LOGIN")
                case b"AUTH":
                    self.logins.append(line)
                    await say("235 welcome")
                case b"RCPT" if self.refusal is not None:
                    await say(self.refusal)
                case b"DATA":
                    await say("354 go on")
                    await self._receive(reader)
                    await say("250 taken")
                case b"QUIT":
                    await say("221 bye")
                    break
                case _:
                    await say("250 test")
        writer.close()

    async def _receive(self, reader: asyncio.StreamReader) -> None:
        lines: list[bytes] = []
        while (line := await reader.readline()) != b".\r\n":
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        self.received.append(message_from_bytes(b"".join(lines), policy=policy.default))


@asynccontextmanager
async def mail_server() -> AsyncGenerator[MailServer]:
    """A running mail server on a free port of this machine."""
    mails = MailServer()
    server = await asyncio.start_server(mails.serve, "127.0.0.1", 0)
    mails.port = server.sockets[0].getsockname()[1]
    async with server:
        yield mails
