"""Asking the sellers to get in touch: kept, mailed, listed for operators, and gone with the account."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest
import pytest_asyncio

from app.accounts.access.permissions import ApiScope
from app.billing.subscriptions.sales_requests import MOST_MESSAGE_CHARACTERS, PER_WORKSPACE_A_DAY
from app.store import sales_requests as sales_request_store
from app.store.sales_requests import SalesRequest
from tests.flows.deletion.steps import delete_account
from tests.support.client import eventually
from tests.support.running_backend import Person, RunningBackend, running_backend
from tests.support.server import run_command
from tests.support.subscribing import CONTACT_SALES, codes

_SALES = "sales@example.com"


@pytest_asyncio.fixture(scope="module")
async def selling(server_url: str) -> AsyncGenerator[RunningBackend]:
    """A product with an address for sales, and rate limits."""
    async with running_backend(server_url, "messaging", sales_email=_SALES, rate_limits="on") as backend:
        yield backend


async def _ask(backend: RunningBackend, person: Person, message: str | None = None) -> dict[str, Any]:
    given = {"input": {"workspaceId": person.workspace, "message": message}}
    return (await backend.api.query(CONTACT_SALES, given, token=person.token))["contactSales"]


async def _kept(backend: RunningBackend, person: Person) -> list[SalesRequest]:
    async with backend.database.read() as session:
        found = await sales_request_store.newest(session, limit=1_000)
    return [each for each in found if each.address == person.address]


async def _inbox(backend: RunningBackend, containing: str) -> list[dict[str, Any]]:
    messages = (await backend.api.http.get(f"{backend.api.url}/dev/inbox")).json()
    return [each for each in messages if containing in each["text"]]


async def test_a_request_is_kept_and_mailed_and_answered_with_where_to_arrange_a_talk(selling: RunningBackend) -> None:
    person = await selling.sign_up()
    asked = await _ask(selling, person, "We are 300 people.\nCall us <soon>.")
    assert asked == {"schedulingUrl": "https://example.com/messaging/contact-sales", "userErrors": []}
    [kept] = await _kept(selling, person)
    assert kept.message == "We are 300 people.\nCall us <soon>."
    [mail] = await eventually(lambda: _inbox(selling, person.address))
    assert mail["to"] == _SALES
    assert kept.handle in mail["subject"]
    assert "Call us <soon>." in mail["text"]


async def test_a_request_needs_no_message(selling: RunningBackend) -> None:
    person = await selling.sign_up()
    assert (await _ask(selling, person))["userErrors"] == []
    assert [each.message for each in await _kept(selling, person)] == [None]


async def test_a_message_that_is_too_long_is_refused_and_not_kept(selling: RunningBackend) -> None:
    person = await selling.sign_up()
    refused = await _ask(selling, person, "x" * (MOST_MESSAGE_CHARACTERS + 1))
    assert (codes(refused), refused["schedulingUrl"]) == (["INVALID_INPUT"], None)
    assert await _kept(selling, person) == []
    assert codes(await _ask(selling, person, "x" * MOST_MESSAGE_CHARACTERS)) == []


async def test_requests_of_a_workspace_are_limited(selling: RunningBackend) -> None:
    person = await selling.sign_up()
    asked = await asyncio.gather(*(_ask(selling, person, "again") for _ in range(PER_WORKSPACE_A_DAY.most)))
    assert [codes(each) for each in asked] == [[]] * PER_WORKSPACE_A_DAY.most
    with pytest.raises(AssertionError, match="RATE_LIMITED"):
        await _ask(selling, person)
    assert len(await _kept(selling, person)) == PER_WORKSPACE_A_DAY.most


async def test_a_key_can_not_ask_since_nobody_could_be_answered(selling: RunningBackend) -> None:
    person = await selling.sign_up()
    key = await selling.api_key(person, ApiScope.BILLING_WRITE)
    given = {"input": {"workspaceId": person.workspace}}
    with pytest.raises(AssertionError, match="FORBIDDEN"):
        await selling.api.query(CONTACT_SALES, given, token=key["secret"])


async def test_requests_and_their_mails_go_with_the_account(selling: RunningBackend) -> None:
    person = await selling.sign_up()
    await _ask(selling, person, "Forget me.")
    await eventually(lambda: _inbox(selling, person.address))
    assert (await delete_account(selling, person)) == []
    assert await _kept(selling, person) == []
    async with selling.database.read() as session:
        assert "Forget me." not in {each.message for each in await sales_request_store.newest(session, limit=1_000)}
    assert await _inbox(selling, "Forget me.") == []


async def test_operators_list_the_requests_the_newest_first(selling: RunningBackend) -> None:
    first, second = await selling.sign_up(), await selling.sign_up()
    await _ask(selling, first, "One")
    await _ask(selling, second, "Two\nlines")
    url = selling.database.engine.url.set(drivername="postgresql").render_as_string(False)
    listed = await asyncio.to_thread(run_command, "sales", "list", "--limit", "2", environment={"DATABASE_URL": url})
    assert listed.returncode == 0, listed.stderr
    lines = listed.stdout.splitlines()
    assert second.address in lines[0]
    assert lines[1:3] == ["    Two", "    lines"]
    assert first.address in lines[3]


@pytest.mark.catalogs("messaging")
async def test_without_an_address_for_sales_a_request_is_kept_all_the_same(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    assert (await _ask(backend, person, "Hello"))["userErrors"] == []
    assert [each.message for each in await _kept(backend, person)] == ["Hello"]
