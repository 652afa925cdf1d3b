"""Usage through the API: recording it, the bars, and asking before."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import orjson
import pytest

from app.accounts.access.permissions import ApiScope, WorkspaceRole
from app.ids import GlobalId, uuid7
from tests.support import operations
from tests.support.client import eventually
from tests.support.development_inbox import mails_to
from tests.support.members import let_in
from tests.support.running_backend import Person, RunningBackend
from tests.support.usage import record_usage, usage_event, usage_shown, use

_EVERYTHING = 1_000


def _code(payload: dict[str, Any]) -> tuple[str, list[str]]:
    [error] = payload["userErrors"]
    return error["code"], error["path"]


async def test_what_a_server_records_is_on_the_page(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    before = await usage_shown(backend, person.workspace, person.token)
    await backend.grant(person, "20000")
    await use(backend, person.workspace, 130, subject="ada")
    await use(backend, person.workspace, "2.50", "storage")

    shown = await usage_shown(backend, person.workspace, person.token)

    assert (before["id"], before["period"]) == (shown["id"], shown["period"])
    assert shown["workspaceId"] == person.workspace
    assert int(shown["version"]) > int(before["version"])
    assert list(shown["bars"]) == ["sessions", "events", "enrichments", "storage"]
    bar = shown["bars"]["enrichments"]
    assert {name: bar[name] for name in ("used", "limit", "remaining", "ratio", "level", "overage", "resetsAt")} == {
        "used": "130",
        "limit": "100",
        "remaining": "0",
        "ratio": 1.3,
        "level": "EXCEEDED",
        "overage": "30",
        "resetsAt": shown["period"]["end"],
    }
    assert (bar["creditsSpent"], bar["unpaidOverage"]) == ("15000", "0")
    assert bar["subjects"] == [{"subject": "ada", "used": "130", "creditsSpent": "15000"}]
    assert [point["used"] for point in bar["series"]][-1] == "130"
    assert bar["series"][0]["day"].endswith("T00:00:00Z")
    level = shown["bars"]["storage"]
    assert (level["used"], level["resetsAt"], level["overage"]) == ("2.5", None, "0")
    assert shown["bars"]["sessions"]["ratio"] == 0


async def test_members_see_the_bars_without_money_and_without_names(backend: RunningBackend) -> None:
    owner, member = await backend.sign_up(), await backend.sign_up()
    await let_in(backend.database, owner.workspace_id, member.user_id, WorkspaceRole.MEMBER)
    await backend.grant(owner, "20000")
    await use(backend, owner.workspace, 130, subject="ada")

    own, seen = [await usage_shown(backend, owner.workspace, who.token) for who in (owner, member)]

    assert own["bars"]["enrichments"]["creditsSpent"] == "15000"
    hidden: dict[str, Any] = {code: {**bar, "creditsSpent": None, "subjects": []} for code, bar in own["bars"].items()}
    assert seen == {**own, "bars": hidden}


async def test_usage_and_bars_are_read_again_by_their_ids(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await use(backend, person.workspace, 7, subject="ada")
    shown = await usage_shown(backend, person.workspace, person.token)
    document = """query ($usage: ID!, $bar: ID!, $gone: ID!) {
      usage: node(id: $usage) { ... on Usage { id version bars { id series { used } } } }
      bar: node(id: $bar) { ... on UsageBar { id used series { used } subjects(first: 1) { subject used } } }
      gone: node(id: $gone) { id }
    }"""
    ids = {"usage": shown["id"], "bar": shown["bars"]["enrichments"]["id"]}
    gone = str(GlobalId("UsageBar", "bananas", person.workspace_id))

    read = await backend.api.query(document, {**ids, "gone": gone}, token=person.token)

    assert (read["usage"]["id"], read["usage"]["version"]) == (shown["id"], shown["version"])
    assert [bar["id"] for bar in read["usage"]["bars"]] == [bar["id"] for bar in shown["bars"].values()]
    assert (read["bar"]["used"], read["bar"]["series"][-1]["used"]) == ("7", "7")
    assert read["bar"]["subjects"] == [{"subject": "ada", "used": "7"}]
    assert read["gone"] is None


async def test_so_many_subjects_as_are_asked_for_by_each_name(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    for number in range(12):
        await use(backend, person.workspace, 1 + number, subject=f"agent-{number}")
    document = """query ($id: ID!) { workspace(id: $id) { usage { bars {
      resource { code } ten: subjects { used } two: subjects(first: 2) { used } all: subjects(first: 100) { used }
      none: subjects(first: 0) { used }
    } } } }"""

    data = await backend.api.query(document, {"id": person.workspace}, token=person.token)

    [bar] = [each for each in data["workspace"]["usage"]["bars"] if each["resource"]["code"] == "enrichments"]
    in_order = [{"used": str(number)} for number in range(12, 0, -1)]
    assert (bar["ten"], bar["two"], bar["all"], bar["none"]) == (in_order[:10], in_order[:2], in_order, [])
    too_many = document.replace("first: 100", "first: 101")
    assert await backend.api.refused(too_many, {"id": person.workspace}, token=person.token) == "BAD_USER_INPUT"


async def test_what_cannot_be_counted_is_told_by_its_place(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    other_type = str(GlobalId("User", person.user_id))
    once = usage_event(person.workspace, 1)
    events = [
        usage_event(person.workspace, 2),
        once,
        once,
        usage_event("nonsense", 1),
        usage_event(other_type, 1),
        usage_event(str(GlobalId("Workspace", uuid7())), 1),
        {**usage_event(person.workspace, 1), "externalId": "both"},
        {name: value for name, value in usage_event("", 1).items() if name != "workspaceId"},
        {**usage_event(person.workspace, 1), "workspaceId": None, "externalId": f"nobody-{uuid4().hex}"},
        usage_event(person.workspace, 1, "bananas"),
        usage_event(person.workspace, 1, occurredAt="2020-01-01T00:00:00Z"),
        usage_event(person.workspace, -1),
    ]

    recorded = await record_usage(backend, *events)

    assert (recorded["accepted"], recorded["duplicates"], recorded["userErrors"]) == (2, 1, [])
    assert [(each["index"], each["code"]) for each in recorded["rejected"]] == [
        (3, "UNKNOWN_WORKSPACE"),
        (4, "UNKNOWN_WORKSPACE"),
        (5, "UNKNOWN_WORKSPACE"),
        (6, "INVALID_INPUT"),
        (7, "INVALID_INPUT"),
        (8, "UNKNOWN_WORKSPACE"),
        (9, "UNKNOWN_RESOURCE"),
        (10, "EVENT_TOO_OLD"),
        (11, "INVALID_INPUT"),
    ]
    assert (await usage_shown(backend, person.workspace, person.token))["bars"]["enrichments"]["used"] == "3"


async def test_a_call_reports_1_to_1000_events(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    # as long as they can be
    long = {"subject": "s" * 64, "occurredAt": "2026-11-21T09:30:00.000000+00:00"}
    events = [usage_event(person.workspace, 1, eventId=f"{number:0255}", **long) for number in range(_EVERYTHING + 1)]
    now = backend.database.clock.now().isoformat()
    events = [{**event, "occurredAt": now} for event in events]

    assert _code(await record_usage(backend)) == ("INVALID_INPUT", ["input", "events"])
    assert _code(await record_usage(backend, *events)) == ("INVALID_INPUT", ["input", "events"])
    recorded = await record_usage(backend, *events[:_EVERYTHING])
    again = await record_usage(backend, *events[:_EVERYTHING])

    assert len(orjson.dumps(events)) > 400_000
    assert (recorded["accepted"], recorded["userErrors"]) == (_EVERYTHING, [])
    assert (again["accepted"], again["duplicates"]) == (0, _EVERYTHING)


async def test_events_are_read_alike_whatever_document_they_come_with(backend: RunningBackend) -> None:
    person, token = await backend.sign_up(), await backend.service_key(ApiScope.USAGE_WRITE)
    document = """
      query Other { catalog { name } }
      mutation Record($input: RecordUsageInput!, $more: Boolean!) {
        recordUsage(input: $input) { accepted rejected @include(if: $more) { code } userErrors { code } }
      }"""
    for more in (True, False):
        body = {
            "query": document,
            "operationName": "Record",
            "variables": {"input": {"events": [usage_event(person.workspace, 1)]}, "more": more},
        }
        headers = {"authorization": f"Bearer {token}"}
        answer = (await backend.api.http.post(f"{backend.api.url}/graphql", json=body, headers=headers)).json()
        assert answer["data"]["recordUsage"] == {"accepted": 1, **({"rejected": []} if more else {}), "userErrors": []}
    wrong = {"input": {"events": [usage_event(person.workspace, "1e3"), {"eventId": "a"}]}}
    sent = await backend.api.send(operations.RECORD_USAGE, wrong, token=token)
    errors = sent.json()["errors"]
    assert {error["extensions"]["code"] for error in errors} == {"BAD_USER_INPUT"}
    assert [error["message"].partition(": ")[0] for error in errors] == [
        "Variable '$input' has invalid value at .events[0].quantity",
        "Variable '$input' has invalid value at .events[1]",
        "Variable '$input' has invalid value at .events[1]",
    ]


async def test_only_the_host_records_usage(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    event = {"input": {"events": [usage_event(person.workspace, 1)]}}
    assert await backend.api.refused(operations.RECORD_USAGE, event, token=person.token) == "FORBIDDEN"
    assert await backend.api.refused(operations.RECORD_USAGE, event) == "UNAUTHENTICATED"
    for scope in set(ApiScope) - {ApiScope.USAGE_WRITE}:
        token = await backend.service_key(scope)
        assert await backend.api.refused(operations.RECORD_USAGE, event, token=token) == "FORBIDDEN"
    bars = (await usage_shown(backend, person.workspace, person.token))["bars"]
    assert bars["enrichments"]["used"] == "0"


async def _check(backend: RunningBackend, person: Person, quantity: object, resource: str = "enrichments") -> Any:
    given = {"id": person.workspace, "resource": resource, "quantity": str(quantity)}
    return (await backend.api.query(operations.CHECK_USAGE, given, token=person.token))["usageCheck"]


async def test_a_check_says_what_would_pay(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await backend.grant(person, "600")

    assert await _check(backend, person, 100) == {
        "decision": "WITHIN_ALLOWANCE",
        "creditsNeeded": "0",
        "reason": None,
    }
    assert await _check(backend, person, 101) == {
        "decision": "PAID_BY_CREDITS",
        "creditsNeeded": "500",
        "reason": None,
    }
    refused = await _check(backend, person, 102)
    assert (refused["decision"], refused["creditsNeeded"]) == ("REFUSED", "1000")
    assert refused["reason"]
    assert (await _check(backend, person, 1_001, "sessions"))["creditsNeeded"] == "0"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"quantity": "-1"}, "BAD_USER_INPUT"),
        ({"quantity": "1e3"}, "BAD_USER_INPUT"),
        ({"quantity": "0.0000000001"}, "BAD_USER_INPUT"),
        ({"resource": "bananas"}, "BAD_USER_INPUT"),
        ({"id": "nonsense"}, "NOT_FOUND"),
        ({"id": str(GlobalId("Workspace", uuid7()))}, "NOT_FOUND"),
    ],
)
async def test_what_cannot_be_checked_is_a_clear_error(
    backend: RunningBackend, changed: dict[str, str], code: str
) -> None:
    person = await backend.sign_up()
    given = {"id": person.workspace, "resource": "enrichments", "quantity": "1", **changed}

    assert await backend.api.refused(operations.CHECK_USAGE, given, token=person.token) == code


async def test_owners_are_mailed_when_a_limit_is_near_and_when_it_is_reached(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    subjects: list[str] = []
    for quantity in (85, 15):
        await use(backend, person.workspace, quantity)

        async def mailed() -> list[dict[str, Any]]:
            mails = await mails_to(backend, person.address)
            return [mail for mail in mails if "limit" in mail["subject"] and mail["subject"] not in subjects]

        [mail] = await eventually(mailed)
        subjects.append(mail["subject"])
        assert "Enrichments: the workspace" in mail["text"]
    assert subjects == ["Enrichments: 80 % of your plan's limit is used", "Enrichments: your plan's limit is reached"]
