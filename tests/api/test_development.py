"""What only development has: the inbox and the clock."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from starlette.applications import Starlette

from app.asgi.development import dev_routes
from app.db.engine import Database
from tests.support.accounts import new_address
from tests.support.client import eventually
from tests.support.running_backend import RunningBackend

_SIGN_UP = "mutation ($input: SignUpInput!) { signUp(input: $input) { userErrors { code } } }"
_VERIFY = "mutation ($input: VerifyEmailInput!) { verifyEmail(input: $input) { token userErrors { code } } }"


async def test_the_inbox_shows_what_was_mailed_with_a_link_that_works(backend: RunningBackend) -> None:
    address = new_address()
    given = {"emailAddress": address, "password": "correct horse battery"}
    await backend.api.query(_SIGN_UP, {"input": given})

    async def arrived() -> list[dict[str, Any]]:
        inbox = (await backend.api.http.get(f"{backend.api.url}/dev/inbox")).json()
        return [message for message in inbox if message["to"] == address]

    [mail] = await eventually(arrived)
    assert (mail["channel"], mail["code"]) == ("email", None)
    assert mail["subject"]
    assert mail["sentAt"].endswith("Z")
    [link] = mail["links"]
    assert link.startswith(backend.api.url)
    token = link.partition("?token=")[2]
    verified = await backend.api.query(_VERIFY, {"input": {"token": token, "issueToken": True}})
    assert verified["verifyEmail"]["userErrors"] == []
    assert verified["verifyEmail"]["token"]


@pytest.mark.catalogs("compute")
async def test_the_inbox_shows_the_code_of_a_text_message(backend: RunningBackend) -> None:
    await backend.sign_up(with_phone=True)

    newest = (await backend.api.http.get(f"{backend.api.url}/dev/inbox")).json()[0]

    assert (newest["channel"], newest["subject"], newest["links"]) == ("sms", None, [])
    assert len(newest["code"]) == 6
    assert newest["code"] in newest["text"]


async def test_the_clock_moves_the_products_and_the_sandboxs_time_together(backend: RunningBackend) -> None:
    before = datetime.fromisoformat((await backend.api.http.get(f"{backend.api.url}/dev/clock")).json()["now"])

    answer = await backend.api.http.post(f"{backend.api.url}/dev/clock", json={"advance": "P31D"})

    after = datetime.fromisoformat(answer.json()["now"])
    assert answer.status_code == 200
    assert timedelta(days=31) <= after - before < timedelta(days=31, minutes=10)
    assert abs(await backend.sandbox.now() - after) < timedelta(minutes=10)


async def test_sessions_keep_real_time_when_the_clock_is_moved(backend: RunningBackend) -> None:
    person = await backend.sign_up()

    await backend.advance("P60D")

    assert (await backend.balance(person))["available"] == "0"


async def test_what_falls_due_on_the_way_happens_in_order_and_at_its_own_time(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    now = backend.database.clock.now()
    due = [now + timedelta(days=days) for days in (3, 1, 2)]
    for at in due:
        await backend.grant(person, "1", expiresAt=at.isoformat(), idempotencyKey=uuid4().hex)

    await backend.advance("P4D")

    nodes = (await backend.history(person, kind="EXPIRY"))["nodes"]
    at = [datetime.fromisoformat(node["at"]) for node in nodes]
    assert [round((moment - now) / timedelta(days=1)) for moment in at] == [3, 2, 1]
    assert all(
        abs(moment - wanted) < timedelta(minutes=5) for moment, wanted in zip(at, sorted(due)[::-1], strict=True)
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"null",
        b"[]",
        b'"P1D"',
        b'{"advance": null}',
        b'{"advance": 31}',
        b'{"advance": ""}',
        b'{"advance": "P"}',
        b'{"advance": "PT"}',
        b'{"advance": "P1"}',
        b'{"advance": "P1M"}',
        b'{"advance": "P1Y"}',
        b'{"advance": "-P1D"}',
        b'{"advance": "P-1D"}',
        b'{"advance": "P0D"}',
        b'{"advance": "P99999D"}',
        b'{"advance": "PT1.5S"}',
        b'{"advance": "P1D "}',
        b'{"advance": "P\xd9\xa1D"}',
        b'{"advance": "P1D", ',
        b"\xff",
        pytest.param(b"[" * 100_000, id="100,000 brackets"),
    ],
)
async def test_a_duration_that_is_none_is_refused_and_the_clock_stays(backend: RunningBackend, body: bytes) -> None:
    offset = backend.database.clock.offset

    answer = await backend.api.http.post(f"{backend.api.url}/dev/clock", content=body)

    assert answer.status_code == 400
    assert "error" in answer.json()
    assert backend.database.clock.offset == offset


@pytest.mark.parametrize(
    ("duration", "seconds"), [("PT1S", 1), ("P1DT1H1M1S", 90_061), ("P1W", 604_800), ("PT36H", 129_600)]
)
async def test_a_duration_has_weeks_days_and_smaller_units(
    backend: RunningBackend, duration: str, seconds: int
) -> None:
    before = backend.database.clock.offset

    await backend.advance(duration)

    moved = backend.database.clock.offset - before
    assert timedelta(seconds=seconds) <= moved + timedelta(minutes=10)
    assert moved <= timedelta(seconds=seconds)


async def test_with_a_real_stripe_account_the_clock_is_shown_and_can_not_be_moved(database: Database) -> None:
    transport = httpx.ASGITransport(Starlette(routes=dev_routes(database, None)))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        shown = await http.get("/dev/clock")
        moved = await http.post("/dev/clock", json={"advance": "P1D"})

    assert (shown.status_code, moved.status_code) == (200, 409)
    assert "error" in moved.json()
    assert database.clock.offset == timedelta()
