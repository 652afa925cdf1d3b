"""A mail server for tests: it speaks SMTP, keeps what it is given, and fails on demand."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage


@dataclass(frozen=True, slots=True)
class Login:
    """What somebody signed in with, and whether nobody else could read it."""

    username: str
    password: str
    is_encrypted: bool


@dataclass(slots=True)
class MailServer:
    """`refusal` is the answer to every recipient while it is set, such as `550 no such mailbox`; `answers` are those to other
    commands by their name, `END` being the end of a message.

    With `tls` it offers STARTTLS, unless the first byte is encrypted already. `accounts` are who may sign in with which password,
    None anybody. At the commands named in `drops_at` and `hangs_at` it closes the connection, or says nothing any more.
    """

    port: int = 0
    refusal: str | None = None
    tls: ssl.SSLContext | None = None
    accounts: dict[str, str] | None = None
    answers: dict[str, str] = field(default_factory=dict[str, str])
    drops_at: set[str] = field(default_factory=set[str])
    hangs_at: set[str] = field(default_factory=set[str])
    received: list[EmailMessage] = field(default_factory=list[EmailMessage])
    recipients: list[str] = field(default_factory=list[str])
    logins: list[Login] = field(default_factory=list[Login])
    conversations: int = 0


@dataclass(slots=True)
class _Conversation:
    """One client's conversation with the server."""

    server: MailServer
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    is_encrypted: bool

    async def hold(self) -> None:
        self.server.conversations += 1
        # a client that gives up closes the connection, or leaves it half-encrypted
        with suppress(OSError, asyncio.IncompleteReadError, _Dropped):
            await self._say("GREETING", "220 test ESMTP")
            while line := await self.reader.readline():
                if not await self._answer(line.decode().strip()):
                    break
        self.writer.close()

    async def _answer(self, line: str) -> bool:
        """Answer a command; False ends the conversation."""
        command = line.split(maxsplit=1)[0].upper() if line else ""
        match command:
            case "EHLO":
                await self._greet()
            case "STARTTLS" if self.server.tls is not None:
                await self._say(command, "220 go on")
                await self.writer.start_tls(self.server.tls)
                self.is_encrypted = True
            case "AUTH":
                await self._sign_in(line)
            case "RCPT":
                if self.server.refusal is None:
                    self.server.recipients.append(line.partition("<")[2].partition(">")[0])
                await self._say(command, self.server.refusal or "250 known")
            case "DATA":
                await self._receive()
            case "QUIT":
                await self._say(command, "221 bye")
                return False
            case _:
                await self._say(command, "250 test")
        return True

    async def _greet(self) -> None:
        offers_tls = self.server.tls is not None and not self.is_encrypted
        await self._say("EHLO", *(["250-test", "250-STARTTLS"] if offers_tls else ["250-test"]), "250 AUTH PLAIN LOGIN")

    async def _sign_in(self, line: str) -> None:
        _, mechanism, encoded = line.split()
        assert mechanism == "PLAIN"
        _, username, password = base64.b64decode(encoded).decode().split("\0")
        self.server.logins.append(Login(username, password, self.is_encrypted))
        accounts = self.server.accounts
        is_right = accounts is None or accounts.get(username) == password
        await self._say("AUTH", "235 welcome" if is_right else "535 5.7.8 these credentials are wrong")

    async def _receive(self) -> None:
        if "DATA" in self.server.answers:
            await self._say("DATA", "")
            return
        self.writer.write(b"354 go on\r\n")
        lines: list[bytes] = []
        while (line := await self.reader.readline()) != b".\r\n":
            if not line or "DATA" in self.server.drops_at:
                raise _Dropped
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        if "END" not in self.server.answers:
            self.server.received.append(message_from_bytes(b"".join(lines), policy=policy.default))
        await self._say("END", "250 taken")

    async def _say(self, command: str, *lines: str) -> None:
        if command in self.server.drops_at:
            raise _Dropped
        if command in self.server.hangs_at:
            await self.reader.read()
            raise _Dropped
        answer = self.server.answers.get(command)
        for line in lines if answer is None else [answer]:
            self.writer.write(f"{line}\r\n".encode())
        await self.writer.drain()


class _Dropped(Exception):
    """The server closes the connection without an answer."""


@asynccontextmanager
async def mail_server(*, tls: ssl.SSLContext | None = None, is_encrypted: bool = False) -> AsyncGenerator[MailServer]:
    """A running mail server on a free port of this machine; with `is_encrypted` it speaks TLS from the first byte."""
    mails = MailServer(tls=tls)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _Conversation(mails, reader, writer, is_encrypted).hold()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls if is_encrypted else None)
    mails.port = server.sockets[0].getsockname()[1]
    async with server:
        yield mails
