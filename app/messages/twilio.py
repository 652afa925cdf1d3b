"""Codes by text message through Twilio Verify, which makes and checks the codes, and keeps them for ten minutes.

Twilio has one active code per number, whatever it is for: sent again within ten minutes, it is the same one. The caller must know
for which workspaces it was sent. A request that failed is not retried here: a message may have been sent all the same.
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
# the states of a code that can't be checked any more
_ENDED: Final = frozenset({"canceled", "expired", "max_attempts_reached", "deleted", "failed"})

# Twilio's error codes, https://www.twilio.com/docs/api/errors. Those not listed here are logged for the operators, such as a
# country that the account may not send to (60605, 21408), a range of numbers that Fraud Guard blocks (60410), or too many requests
# of the whole account (20429, 60207).
_TOO_MANY_CHECKS: Final = 60202
_INVALID_PARAMETER: Final = 60200
# no number, no mobile number, or a landline
_NOT_TEXTABLE: Final = frozenset({60205, 21211, 21614, 21635})
# too many sends to one number, in total or at once; the value is the seconds to wait if Twilio does not say
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
        """Have Twilio send a code.

        Raises `InvalidInput` for a number that can't receive text messages, `RateLimited` when Twilio sends it no more for now, and
        `Unavailable` for every failure that is not about this number.
        """
        answer = await self._post("/Verifications", {"To": number, "Channel": "sms"})
        if answer.is_success and _json_object(answer).get("status") == "pending":
            return
        code = _error_code(answer)
        # an invalid parameter is the number or the channel; Twilio names it if it is the channel
        is_no_number = code == _INVALID_PARAMETER and "Channel" not in str(_json_object(answer).get("message"))
        if is_no_number or code in _NOT_TEXTABLE:
            message = "This number can't get text messages. Use the number of a mobile phone."
            raise InvalidInput(message, path=("input", "phoneNumber"))
        if code in _SENT_TOO_OFTEN:
            raise RateLimited(_seconds_to_wait(answer, _SENT_TOO_OFTEN[code]))
        _raise_unavailable("send", answer)

    async def check_code(self, number: str, purpose: str, code: str) -> bool:
        """Whether this is the active code; raises `CodeGone` when there is none or it was tried too often, and `Unavailable`."""
        if _CODE.fullmatch(code) is None:
            return False
        answer = await self._post("/VerificationCheck", {"To": number, "Code": code})
        error_code = _error_code(answer)
        if error_code == _TOO_MANY_CHECKS:
            await self.drop_code(number, purpose)
            raise CodeGone
        # a code that was right, was tried too often or has expired is deleted; then Twilio may not know the number either
        if answer.status_code == HTTPStatus.NOT_FOUND or error_code == _INVALID_PARAMETER:
            raise CodeGone
        status = str(_json_object(answer).get("status")) if answer.is_success else None
        if status in _ENDED:
            raise CodeGone
        if status not in ("approved", "pending"):
            _raise_unavailable("check", answer)
        return status == "approved"

    async def drop_code(self, number: str, purpose: str) -> None:
        """Cancel the active code: otherwise the next one sent would be the same, without tries left."""
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


def _json_object(answer: httpx.Response) -> Mapping[str, object]:
    try:
        value: object = orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        return {}
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def _error_code(answer: httpx.Response) -> int | None:
    code = None if answer.is_success else _json_object(answer).get("code")
    return code if isinstance(code, int) else None


def _seconds_to_wait(answer: httpx.Response, default: int) -> int:
    """The seconds that Twilio says to wait, or `default`: mostly it does not say."""
    seconds = answer.headers.get("retry-after", "")
    if seconds.isdecimal() and len(seconds) < 9:
        return min(max(int(seconds), 1), _LONGEST_WAIT_SECONDS)
    return default


def _raise_unavailable(call: str, answer: httpx.Response) -> NoReturn:
    # without the number, and without Twilio's message, which may repeat it
    _log.warning("twilio.failed", call=call, status=answer.status_code, code=_error_code(answer))
    raise Unavailable
