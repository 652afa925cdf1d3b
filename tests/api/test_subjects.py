"""Who or what used credits: named by the host product's servers, shown in the history, erased by operators."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from app.accounts.access.permissions import ApiScope
from app.db.tables.usage import UsageSubjectRow
from app.db.unit_of_work import transact
from app.ledger.movements import Hold, Key, Spend
from app.ledger.post_movements import post
from app.metering.subject_erasure import erase_subject
from tests.support.running_backend import Person, RunningBackend

DEDUCT = """mutation ($input: DeductCreditsInput!) { deductCredits(input: $input) {
  transaction { id subject resource { code } } userErrors { code path message } } }"""
HOLD = """mutation ($input: HoldCreditsInput!) { holdCredits(input: $input) {
  hold { id } transaction { id subject resource { code } } userErrors { code path message } } }"""
CAPTURE = """mutation ($input: CaptureHoldInput!) { captureHold(input: $input) {
  transaction { subject resource { code } } userErrors { code } } }"""
HISTORY = """query ($id: ID!) { workspace(id: $id) { creditBalance { transactions {
  nodes { kind subject resource { code } } } } } }"""


async def _send(backend: RunningBackend, document: str, **given: object) -> dict[str, Any]:
    token = await backend.service_key(ApiScope.CREDITS_WRITE)
    [payload] = (await backend.api.query(document, {"input": given}, token=token)).values()
    return payload


async def _deduct(backend: RunningBackend, person: Person, **more: object) -> dict[str, Any]:
    given = {"workspaceId": person.workspace, "amount": "1", "description": "A job", "idempotencyKey": uuid4().hex}
    return await _send(backend, DEDUCT, **{**given, **more})


async def _hold(backend: RunningBackend, person: Person, **more: object) -> dict[str, Any]:
    given = {"workspaceId": person.workspace, "amount": "1", "description": "A job", "idempotencyKey": uuid4().hex}
    return await _send(backend, HOLD, **{**given, **more})


async def _history(backend: RunningBackend, person: Person) -> list[tuple[str, str | None, str | None]]:
    found = await backend.api.query(HISTORY, {"id": person.workspace}, token=person.token)
    nodes = found["workspace"]["creditBalance"]["transactions"]["nodes"]
    return [(node["kind"], node["subject"], node["resource"] and node["resource"]["code"]) for node in nodes]


async def _erase(backend: RunningBackend, person: Person, name: str) -> None:
    erased = await transact(
        backend.database, lambda session: erase_subject(session, person.workspace_id, name), step="subject.erase"
    )
    assert erased is not None


async def _names(backend: RunningBackend, person: Person) -> list[str]:
    query = select(UsageSubjectRow.name).where(UsageSubjectRow.workspace_id == person.workspace_id)
    async with backend.database.read() as session:
        return sorted(await session.scalars(query))


def _errors(payload: dict[str, Any]) -> list[tuple[str, list[str]]]:
    return [(error["code"], error["path"]) for error in payload["userErrors"]]


async def _with_credits(backend: RunningBackend) -> Person:
    person = await backend.sign_up()
    await backend.grant(person, "100")
    return person


async def test_a_spend_and_a_hold_name_who_they_are_for_and_so_does_the_capture(backend: RunningBackend) -> None:
    person = await _with_credits(backend)

    spent = await _deduct(backend, person, subject="  ada ", resource="enrichments")
    held = await _hold(backend, person, subject="bob", resource="sessions", amount="2")
    captured = await _send(backend, CAPTURE, holdId=held["hold"]["id"], amount="1", idempotencyKey=uuid4().hex)

    assert (spent["userErrors"], spent["transaction"]["subject"]) == ([], "ada")
    assert (held["userErrors"], held["transaction"]["subject"]) == ([], "bob")
    assert captured["transaction"] == {"subject": "bob", "resource": {"code": "sessions"}}
    assert await _history(backend, person) == [
        ("CAPTURE", "bob", "sessions"),
        ("HOLD", "bob", "sessions"),
        ("USAGE", "ada", "enrichments"),
        ("BONUS", None, None),
    ]
    assert await _names(backend, person) == ["ada", "bob"]


@pytest.mark.parametrize("subject", ["", "   ", "a" * 65, "🤖" * 65, "a\nb", "a\u202eb", "\u200b", "\u3164"])
async def test_what_cannot_be_a_subject_is_refused_and_nothing_is_kept(backend: RunningBackend, subject: str) -> None:
    person = await _with_credits(backend)

    for payload in (await _deduct(backend, person, subject=subject), await _hold(backend, person, subject=subject)):
        assert _errors(payload) == [("INVALID_INPUT", ["input", "subject"])]

    assert await _names(backend, person) == []
    assert [kind for kind, _, _ in await _history(backend, person)] == ["BONUS"]


async def test_a_subject_may_have_64_emoji(backend: RunningBackend) -> None:
    person = await _with_credits(backend)

    await _deduct(backend, person, subject="🤖" * 64)

    assert (await _history(backend, person))[0] == ("USAGE", "🤖" * 64, None)


async def test_a_subject_with_a_null_character_is_refused(backend: RunningBackend) -> None:
    person = await _with_credits(backend)
    given = {"workspaceId": person.workspace, "amount": "1", "description": "A job", "idempotencyKey": uuid4().hex}
    token = await backend.service_key(ApiScope.CREDITS_WRITE)

    refused = await backend.api.refused(DEDUCT, {"input": {**given, "subject": "a\0b"}}, token=token)

    assert refused == "BAD_USER_INPUT"
    assert await _names(backend, person) == []


async def test_a_hold_for_a_resource_that_the_catalog_does_not_have_is_refused(backend: RunningBackend) -> None:
    person = await _with_credits(backend)

    payload = await _hold(backend, person, resource="nothing-like-it", subject="ada")

    assert _errors(payload) == [("UNKNOWN_RESOURCE", ["input", "resource"])]
    assert await _names(backend, person) == []


async def test_who_may_not_spend_leaves_no_subject(
    backend: RunningBackend,
) -> None:
    person = await _with_credits(backend)
    given = {"workspaceId": person.workspace, "amount": "1", "description": "A job", "idempotencyKey": uuid4().hex}

    for document in (DEDUCT, HOLD):
        refused = await backend.api.refused(document, {"input": {**given, "subject": "ada"}}, token=person.token)
        assert refused == "FORBIDDEN"

    assert await _names(backend, person) == []


async def test_fifty_spends_at_once_for_one_new_subject_are_all_its_own(backend: RunningBackend) -> None:
    person, name = await _with_credits(backend), f"agent-{uuid4().hex}"

    answers = await asyncio.gather(*(_deduct(backend, person, subject=name) for _ in range(50)))

    assert [answer["transaction"]["subject"] for answer in answers] == [name] * 50
    assert await _names(backend, person) == [name]


@pytest.mark.parametrize("changed", [{"subject": "bob"}, {"subject": None}, {"resource": "sessions"}])
@pytest.mark.parametrize("move", [_deduct, _hold])
async def test_a_key_is_bound_to_the_subject_and_the_resource(
    backend: RunningBackend, move: Any, changed: dict[str, Any]
) -> None:
    person, key = await _with_credits(backend), uuid4().hex
    given = {"subject": "ada", "resource": "enrichments", "idempotencyKey": key}

    first = await move(backend, person, **given)
    again = await move(backend, person, **given)
    other = await move(backend, person, **{**given, **changed})

    assert again["transaction"] == first["transaction"]
    assert _errors(other) == [("IDEMPOTENCY_CONFLICT", ["input", "idempotencyKey"])]


async def test_a_key_used_before_there_were_subjects_still_answers(backend: RunningBackend) -> None:
    person, spent, held = await _with_credits(backend), uuid4().hex, uuid4().hex
    # the keys that the mutations made of such input then
    spend = Spend(
        workspace_id=person.workspace_id,
        amount=1,
        description="A job",
        key=Key.of("deductCredits", spent, Decimal(1), "A job", None),
    )
    hold = Hold(
        workspace_id=person.workspace_id,
        amount=1,
        description="A job",
        expires_at=backend.database.clock.now() + timedelta(minutes=10),
        key=Key.of("holdCredits", held, Decimal(1), "A job", 600),
    )
    await transact(backend.database, lambda session: post(session, [spend, hold]))

    again = [
        await _deduct(backend, person, idempotencyKey=spent),
        await _hold(backend, person, idempotencyKey=held),
    ]

    assert [payload["userErrors"] for payload in again] == [[], []]
    assert [kind for kind, _, _ in await _history(backend, person)] == ["HOLD", "USAGE", "BONUS"]


async def test_an_erased_subject_is_null_in_the_history_and_a_retry_does_not_bring_it_back(
    backend: RunningBackend,
) -> None:
    person, key = await _with_credits(backend), uuid4().hex
    first = await _deduct(backend, person, subject="ada", idempotencyKey=key)
    await _deduct(backend, person, subject="bob")

    await _erase(backend, person, "ada")

    assert [subject for _, subject, _ in await _history(backend, person)] == ["bob", None, None]
    again = await _deduct(backend, person, subject="ada", idempotencyKey=key)
    assert (again["transaction"]["id"], again["transaction"]["subject"]) == (first["transaction"]["id"], None)
    assert await _names(backend, person) == ["bob"]


async def test_a_subject_named_again_after_it_was_erased_is_a_new_one(backend: RunningBackend) -> None:
    person = await _with_credits(backend)
    await _deduct(backend, person, subject="ada")
    await _erase(backend, person, "ada")

    await _deduct(backend, person, subject="ada")

    assert [subject for _, subject, _ in await _history(backend, person)] == ["ada", None, None]


async def test_erasing_while_spends_are_in_flight_fails_none_of_them(backend: RunningBackend) -> None:
    person, name = await _with_credits(backend), f"agent-{uuid4().hex}"
    await _deduct(backend, person, subject=name)

    async def erase() -> None:
        await transact(backend.database, lambda session: erase_subject(session, person.workspace_id, name))

    answers = await asyncio.gather(
        *(_deduct(backend, person, subject=name) for _ in range(30)), *(erase() for _ in range(5))
    )
    await erase()

    assert all(answer["userErrors"] == [] for answer in answers[:30] if answer is not None)
    assert await _names(backend, person) == []
    assert {subject for _, subject, _ in await _history(backend, person)} == {None}
