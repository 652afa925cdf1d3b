"""Twilio Verify for tests: it speaks the protocol over HTTP, keeps the rules of the real one, and fails on demand.

The rules: one code under way per number, sent again as it is for ten minutes; five sends and five checks of each; gone once it was
right or canceled; the account's token is asked for each time, and can be changed.
"""

from __future__ import annotations

import base64
import io
import re
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import pytest
import structlog

from app.messages.twilio import TwilioSmsSender
from tests.support.http_double import Answer, Answered, Asked, as_json, http_double

_MOST_SENDS = 5
_MOST_CHECKS = 5
_STATUS_OF = {60200: 400, 60202: 429, 60203: 429, 60205: 400, 20404: 404, 20003: 401}
_PATH = re.compile(r"/v2/Services/(?P<service>[^/]+)/(?P<what>Verifications|VerificationCheck)(/(?P<of>[^/]+))?")
_NUMBER = re.compile(r"\+[0-9]{8,15}")


@dataclass(slots=True)
class Verification:
    """A code under way to a number."""

    code: str
    sends: int = 0
    checks: int = 0


@dataclass(slots=True)
class TwilioDouble:
    """`sent` are the numbers and codes of all messages; `landlines` can't be texted; `instead` answers in place of the rules."""

    url: str = ""
    account_sid: str = "AC" + "0" * 32
    auth_token: str = "the first token"
    service_sid: str = "VA" + "0" * 32
    instead: Answer | None = None
    landlines: set[str] = field(default_factory=set[str])
    sent: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    asked: list[Asked] = field(default_factory=list[Asked])
    under_way: dict[str, Verification] = field(default_factory=dict[str, Verification])

    @property
    def settings(self) -> dict[str, str]:
        """The settings that lead the product here."""
        return {
            "twilio_account_sid": self.account_sid,
            "twilio_auth_token": self.auth_token,
            "twilio_verify_service_sid": self.service_sid,
            "twilio_base_url": self.url,
        }

    @asynccontextmanager
    async def sms_sender(self) -> AsyncGenerator[TwilioSmsSender]:
        """The product's way to reach this, with the credentials that are right at the moment."""
        sms_sender = TwilioSmsSender(self.account_sid, self.auth_token, self.service_sid, base_url=self.url)
        try:
            yield sms_sender
        finally:
            await sms_sender.aclose()

    def code_of(self, number: str) -> str:
        """The code texted last to a number."""
        return next(code for to, code in reversed(self.sent) if to == number)

    def expire(self) -> None:
        """Let ten minutes pass."""
        self.under_way.clear()

    async def answer(self, asked: Asked) -> Answered:
        """The answer to a request."""
        self.asked.append(asked)
        if self.instead is not None:
            return await self.instead(asked)
        wanted = base64.b64encode(f"{self.account_sid}:{self.auth_token}".encode()).decode()
        if asked.headers.get("authorization") != f"Basic {wanted}":
            return failure(20003)
        match = _PATH.fullmatch(asked.path)
        if match is None or match["service"] != self.service_sid or asked.method != "POST":
            return failure(20404)
        if match["what"] == "VerificationCheck":
            return self._check(asked.form["To"], asked.form["Code"])
        if match["of"] is not None:
            return self._cancel(unquote(match["of"]), asked.form["Status"])
        return self._send(asked.form["To"], asked.form["Channel"])

    def _send(self, number: str, channel: str) -> Answered:
        if _NUMBER.fullmatch(number) is None or channel != "sms":
            return failure(60200)
        if number in self.landlines:
            return failure(60205)
        verification = self.under_way.setdefault(number, Verification(f"{secrets.randbelow(1_000_000):06}"))
        if verification.sends == _MOST_SENDS:
            return failure(60203)
        verification.sends += 1
        self.sent.append((number, verification.code))
        return as_json({"status": "pending", "to": number, "channel": "sms", "valid": False}, 201)

    def _check(self, number: str, code: str) -> Answered:
        verification = self.under_way.get(number)
        if verification is None:
            return failure(20404)
        if verification.checks == _MOST_CHECKS:
            return failure(60202)
        verification.checks += 1
        if code != verification.code:
            return as_json({"status": "pending", "to": number, "valid": False})
        del self.under_way[number]
        return as_json({"status": "approved", "to": number, "valid": True})

    def _cancel(self, number: str, status: str) -> Answered:
        if status != "canceled" or self.under_way.pop(number, None) is None:
            return failure(20404)
        return as_json({"status": "canceled", "to": number, "valid": False})


def failure(code: int, status: int | None = None, *, retry_after: str | None = None) -> Answered:
    """An error response of Twilio."""
    headers = {"retry-after": retry_after} if retry_after is not None else {}
    status = _STATUS_OF[code] if status is None else status
    return as_json({"code": code, "message": "Something about +31612345678", "status": status}, status, headers)


def logged(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Collects what `app.messages.twilio` logs from now on."""
    written = io.StringIO()
    plain: Any = structlog.processors.KeyValueRenderer(key_order=["event"])
    logger: Any = structlog.wrap_logger(structlog.PrintLogger(written), processors=[plain])
    monkeypatch.setattr("app.messages.twilio._log", logger)
    return written


@asynccontextmanager
async def twilio_double() -> AsyncGenerator[TwilioDouble]:
    """A running Twilio Verify."""
    double = TwilioDouble()
    async with http_double(double.answer) as url:
        double.url = url
        yield double
