"""What the log says of work that fails and is tried again."""

from __future__ import annotations

from itertools import islice, repeat

import asyncpg
import pytest
from structlog.testing import capture_logs

from app import main
from app.db.engine import Session
from app.ids import uuid7
from app.jobs.outage_log import OutageLog, retry_delays
from app.jobs.schedule import DueWork, each_alone, run_due
from app.main import set_up_provider
from app.messages.mail import MailDeferred
from app.object_storage import StorageUnavailable
from app.payments.gateway_errors import GatewayRefused, GatewayUnavailable
from tests.support.running_backend import RunningBackend


async def _nothing(_session: Session) -> None:
    return None


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (GatewayUnavailable("It is down.\n\n(A ConnectError)"), "It is down. (A ConnectError)"),
        (MailDeferred("SMTPConnectError 421"), "SMTPConnectError 421"),
        (StorageUnavailable("GenericError"), "GenericError"),
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
        (TimeoutError(), ""),
        (asyncpg.CannotConnectNowError("starting up"), "the database is away"),
    ],
)
async def test_what_is_merely_away_is_a_line_in_the_log(error: Exception, reason: str) -> None:
    async def fail(*_: object) -> int:
        raise error

    with capture_logs() as logs:
        await run_due([DueWork("returns", _nothing, fail)])
        await each_alone("purchases", [(uuid7(), uuid7())], fail)

    assert [line["event"] for line in logs] == ["due_work.failed", "due_work.put_off"]
    for line in logs:
        assert (line["error"], line["reason"]) == (type(error).__name__, reason)
        assert "exc_info" not in line


async def test_what_nobody_foresaw_is_logged_with_its_traceback() -> None:
    broken = LookupError("broken")

    async def fail() -> int:
        raise broken

    with capture_logs() as logs:
        await run_due([DueWork("returns", _nothing, fail)])

    assert [line["exc_info"] for line in logs] == [broken]


async def test_work_that_keeps_failing_is_logged_once_and_again_when_the_error_changes() -> None:
    failures: list[Exception | None] = [GatewayUnavailable("a"), GatewayUnavailable("a"), GatewayUnavailable("b"), None]
    failures += [GatewayUnavailable("b")]
    outage_log = OutageLog()

    async def work() -> int:
        failure = failures.pop(0)
        if failure is not None:
            raise failure
        return 0

    with capture_logs() as logs:
        while failures:
            await run_due([DueWork("returns", _nothing, work)], outage_log)

    assert [line["reason"] for line in logs] == ["a", "b", "b"]


def test_the_same_failure_is_logged_again_after_a_minute_and_not_for_another_request_of_stripes() -> None:
    now = 0.0
    outage_log = OutageLog(lambda: now)
    assert outage_log.should_log("provider", GatewayRefused("Request req_1a: no such key"))
    now = 59.0
    assert not outage_log.should_log("provider", GatewayRefused("Request req_2b: no such key"))
    assert outage_log.should_log("another", GatewayRefused("Request req_2b: no such key"))
    now = 60.0
    assert outage_log.should_log("provider", GatewayRefused("Request req_3c: no such key"))


def test_the_delays_between_retries_double_up_to_a_minute() -> None:
    assert list(islice(retry_delays(), 6)) == [5, 10, 20, 40, 60, 60]


async def test_a_provider_that_is_away_at_the_start_is_logged_once_and_when_it_is_back(
    backend: RunningBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = 0

    async def sync(_context: object) -> None:
        nonlocal attempts
        attempts += 1
        if attempts < 4:
            raise GatewayUnavailable(f"Request req_{attempts}: away")

    monkeypatch.setattr(main, "retry_delays", lambda: repeat(0.0))
    monkeypatch.setattr(main, "sync_catalog", sync)
    with capture_logs() as logs:
        await set_up_provider(backend.parts)

    events = [line["event"] for line in logs if line["event"].startswith("provider.")]
    assert events == ["provider.set_up_failed", "provider.set_up"]
