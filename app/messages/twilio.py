"""Codes by text message through Twilio Verify, which makes the codes, keeps them for ten minutes, and never tells them.

Twilio has one code under way per number, whatever it is for: sent again within ten minutes it is the same one. Which workspaces it
was sent for is for whoever asks to know. A request that failed is never sent again from here: it may have caused a message.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final, NoReturn, cast
from urllib.parse import quote

import httpx
import orjson
import structlog

from app.errors import InvalidInput, RateLimited, Unavailable
from app.messages.sms_codes import CODE_DIGITS, CODE_LIFETIME, CodeGone

_TIMEOUT_SECONDS: Final = 10.0
_LONGEST_WAIT_SECONDS: Final = 3_600
_CODE: Final = re.compile(rf"[0-9]{{{CODE_DIGITS}}}")
# what becomes of a code that was not right in time
_ENDED: Final = frozenset({"canceled", "expired", "max_attempts_reached", "deleted", "failed"})

# Twilio's error codes, https://www.twilio.com/docs/api/errors; what is not listed here is for operators to look into, such as a
# country that the account may not text (60605, 21408), a range of numbers that Fraud Guard blocks (60410), or too many requests
# of the account's together (20429, 60207)
_TOO_MANY_CHECKS: Final = 60202
_INVALID_PARAMETER: Final = 60200
# no number, no mobile number, or a landline
_NOT_TEXTABLE: Final = frozenset({60205, 21211, 21614, 21635})
# too many sends to one number, all in all or at once, and how many seconds to wait where Twilio doesn't say
_SENT_TOO_OFTEN: Final = {60203: int(CODE_LIFETIME.total_seconds()), 60212: 60}

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class TwilioSmsSender:
    """A `SmsSender` that uses the Verify service `service_sid` of a Twilio account at `base_url`."""

    def __init__(self, account_sid: str, auth_token: str, service_sid: str, *, base_url: str) -> None:
        self._client = httpx.AsyncClient(
            base_url=f"{base_url.rstrip('/')}/v2/Services/{quote(service_sid, safe='')}",
            auth=(account_sid, auth_token),
            timeout=_TIMEOUT_SECONDS,
            follow_redirects=False,
        )

    async def send_code(self, number: str, purpose: str) -> None:
        """Have a code texted.

        Raises `InvalidInput` for a number that can't be texted, `RateLimited` when Twilio sends it no more for now, and
        `Unavailable` for whatever is not about this number.
        """
        answer = await self._post("/Verifications", {"To": number, "Channel": "sms"})
        if answer.is_success and _members(answer).get("status") == "pending":
            return
        code = _error_code(answer)
        # we give a number and a channel; if it is the channel, Twilio names it
        is_no_number = code == _INVALID_PARAMETER and "Channel" not in str(_members(answer).get("message"))
        if is_no_number or code in _NOT_TEXTABLE:
            message = "This number can't get text messages. Use the number of a mobile phone."
            raise InvalidInput(message, path=("input", "phoneNumber"))
        if code in _SENT_TOO_OFTEN:
            raise RateLimited(_wait_seconds(answer, _SENT_TOO_OFTEN[code]))
        _give_up("send", answer)

    async def check_code(self, number: str, purpose: str, code: str) -> bool:
        """Whether this is the code under way; raises `CodeGone` when there is none or it was tried too often, and `Unavailable`."""
        if _CODE.fullmatch(code) is None:
            return False
        answer = await self._post("/VerificationCheck", {"To": number, "Code": code})
        told = _error_code(answer)
        if told == _TOO_MANY_CHECKS:
            await self.drop_code(number, purpose)
            raise CodeGone
        # it is gone once it was right, was tried too often or is ten minutes old; then Twilio may not know the number either
        if answer.status_code == HTTPStatus.NOT_FOUND or told == _INVALID_PARAMETER:
            raise CodeGone
        status = str(_members(answer).get("status")) if answer.is_success else None
        if status in _ENDED:
            raise CodeGone
        if status not in ("approved", "pending"):
            _give_up("check", answer)
        return status == "approved"

    async def drop_code(self, number: str, purpose: str) -> None:
        """Let the code under way be good no longer: otherwise the next one sent would be the same, with its tries used up."""
        try:
            answer = await self._post(f"/Verifications/{quote(number, safe='')}", {"Status": "canceled"})
        except Unavailable:
            return
        if not answer.is_success and answer.status_code != HTTPStatus.NOT_FOUND:
            _log.warning("twilio.failed", call="drop", status=answer.status_code, code=_error_code(answer))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _post(self, path: str, form: Mapping[str, str]) -> httpx.Response:
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                return await self._client.post(path, data=form)
        except (httpx.HTTPError, OSError) as error:
            _log.warning("twilio.unreachable", error=type(error).__name__)
            raise Unavailable from None


def _members(answer: httpx.Response) -> Mapping[str, object]:
    try:
        value: object = orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        return {}
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def _error_code(answer: httpx.Response) -> int | None:
    code = None if answer.is_success else _members(answer).get("code")
    return code if isinstance(code, int) else None


def _wait_seconds(answer: httpx.Response, otherwise: int) -> int:
    """How long Twilio says to wait, or `otherwise`, as it mostly doesn't."""
    told = answer.headers.get("retry-after", "")
    if told.isdecimal() and len(told) < 9:
        return min(max(int(told), 1), _LONGEST_WAIT_SECONDS)
    return otherwise


def _give_up(call: str, answer: httpx.Response) -> NoReturn:
    # neither the number nor Twilio's words, which may repeat it
    _log.warning("twilio.failed", call=call, status=answer.status_code, code=_error_code(answer))
    raise Unavailable
