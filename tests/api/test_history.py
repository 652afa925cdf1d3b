"""The history of credits: a connection with cursors and filters."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import pytest

from tests.support import operations
from tests.support.running_backend import Person, RunningBackend


async def _person_with_history(backend: RunningBackend) -> Person:
    """Someone with seven movements: four grants of 10, then three spends of 1."""
    person = await backend.sign_up()
    for _ in range(4):
        await backend.grant(person, "10")
    for _ in range(3):
        await backend.deduct(person, "1")
    return person


def _sequences(page: dict[str, Any]) -> list[int]:
    return [int(node["sequence"]) for node in page["nodes"]]


async def test_pages_follow_each_other_without_gap_or_repetition_newest_first(backend: RunningBackend) -> None:
    person = await _person_with_history(backend)

    pages: list[dict[str, Any]] = []
    after: str | None = None
    while not pages or pages[-1]["pageInfo"]["hasNextPage"]:
        pages.append(await backend.history(person, first=3, after=after))
        after = pages[-1]["pageInfo"]["endCursor"]

    assert [_sequences(page) for page in pages] == [[7, 6, 5], [4, 3, 2], [1]]
    assert [page["pageInfo"]["hasPreviousPage"] for page in pages] == [False, True, True]
    for page in pages:
        cursors = [edge["cursor"] for edge in page["edges"]]
        assert (page["pageInfo"]["startCursor"], page["pageInfo"]["endCursor"]) == (cursors[0], cursors[-1])
        assert [edge["node"]["id"] for edge in page["edges"]] == [node["id"] for node in page["nodes"]]


async def test_a_page_stays_where_it_is_while_new_movements_come_in(backend: RunningBackend) -> None:
    person = await _person_with_history(backend)
    first = await backend.history(person, first=2)

    await backend.grant(person, "1")

    after = first["pageInfo"]["endCursor"]
    assert _sequences(await backend.history(person, first=2, after=after)) == [5, 4]


async def test_a_full_last_page_says_that_nothing_follows(backend: RunningBackend) -> None:
    person = await _person_with_history(backend)

    assert (await backend.history(person, first=7))["pageInfo"]["hasNextPage"] is False
    assert (await backend.history(person, first=6))["pageInfo"]["hasNextPage"] is True


async def test_each_balance_after_is_the_one_before_and_the_amount(backend: RunningBackend) -> None:
    person = await _person_with_history(backend)

    nodes = (await backend.history(person))["nodes"][::-1]

    balance = 0
    for node in nodes:
        balance += int(node["amount"])
        assert int(node["balanceAfter"]) == balance
    assert balance == 37


async def test_a_page_of_none_is_empty_and_still_says_whether_there_are_some(backend: RunningBackend) -> None:
    person = await _person_with_history(backend)

    page = await backend.history(person, first=0)

    assert (page["nodes"], page["edges"]) == ([], [])
    assert page["pageInfo"] == {"hasNextPage": True, "hasPreviousPage": False, "startCursor": None, "endCursor": None}


async def test_the_history_of_nobody_is_an_empty_page(backend: RunningBackend) -> None:
    page = await backend.history(await backend.sign_up())

    assert page["nodes"] == []
    assert page["pageInfo"]["hasNextPage"] is False


@pytest.mark.parametrize("first", [-1, 101, 2_147_483_647])
async def test_a_page_has_0_to_100_rows(backend: RunningBackend, first: int) -> None:
    person = await backend.sign_up()
    variables = {"id": person.workspace, "first": first}

    assert await backend.api.refused(operations.HISTORY, variables, token=person.token) == "BAD_USER_INPUT"


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "nonsense",
        "====",
        "\N{SNOWMAN}",
        base64.urlsafe_b64encode(b"-1").decode().rstrip("="),
        base64.urlsafe_b64encode(b"1_0").decode().rstrip("="),
        base64.urlsafe_b64encode(b"9" * 40).decode().rstrip("="),
        base64.urlsafe_b64encode(b"0|00000000000000000000000000000001").decode().rstrip("="),
        base64.urlsafe_b64encode(b"2026-11-21|00000000000000000000000000000001").decode().rstrip("="),
        base64.urlsafe_b64encode(b"0001-01-01T00:00:00+23:59|00000000000000000000000000000001").decode().rstrip("="),
        base64.urlsafe_b64encode(b"\xff\xfe").decode().rstrip("="),
        base64.urlsafe_b64encode(b"1").decode(),
        pytest.param("A" * 10_000, id="a long one"),
    ],
)
@pytest.mark.parametrize("document", [operations.HISTORY, operations.PURCHASES, operations.INVOICES])
async def test_a_cursor_that_was_never_given_is_refused(backend: RunningBackend, document: str, cursor: str) -> None:
    person = await backend.sign_up()
    variables = {"id": person.workspace, "after": cursor}

    assert await backend.api.refused(document, variables, token=person.token) == "BAD_USER_INPUT"


async def test_the_history_can_be_of_one_kind(backend: RunningBackend) -> None:
    person = await _person_with_history(backend)

    page = await backend.history(person, kind="USAGE", first=2)
    rest = await backend.history(person, kind="USAGE", first=2, after=page["pageInfo"]["endCursor"])

    assert _sequences(page) + _sequences(rest) == [7, 6, 5]
    assert rest["pageInfo"]["hasNextPage"] is False
    assert (await backend.history(person, kind="PURCHASE"))["nodes"] == []


async def test_the_history_can_be_of_a_time_whose_start_belongs_to_it_and_whose_end_does_not(
    backend: RunningBackend,
) -> None:
    person = await _person_with_history(backend)
    at = [node["at"] for node in (await backend.history(person))["nodes"][::-1]]

    page = await backend.history(person, **{"from": at[2], "to": at[5]})

    assert _sequences(page) == [5, 4, 3]
    later = (backend.database.clock.now() + timedelta(days=1)).isoformat()
    assert (await backend.history(person, **{"from": later}))["nodes"] == []


async def test_a_time_filter_without_an_offset_is_refused(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    variables = {"id": person.workspace, "from": "2026-11-21T09:30:00"}

    assert await backend.api.refused(operations.HISTORY, variables, token=person.token) == "BAD_USER_INPUT"
