"""The audits of the GraphQL over HTTP specification, each under the name that its authors gave it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
import pytest

from tests.asgi.conftest import GRAPHQL, JSON, Client

TYPENAME = "{ __typename }"
BY_NAME = "query Type($name: String!) { __type(name: $name) { name } }"
UNKNOWN = "{ a8f31403dfe404bccbb0e835f2629c6a7 }"
COERCION = "query CoerceFailure($id: ID!){ __typename }"
OK = range(200, 201)
CLIENT_ERROR = range(400, 500)
BAD_REQUEST = range(400, 401)


@dataclass(frozen=True)
class Audit:
    """A request and what the answer must be."""

    id: str
    rule: str
    status: range
    body: Any = None
    raw: bytes | None = None
    get: dict[str, str] | None = None
    accept: str | None = "*/*"
    content_type: str | None = JSON
    answer_type: str | None = None
    without: str | None = None


def nulls() -> list[Audit]:
    audits: list[Audit] = []
    for index, name in enumerate(("variables", "operationName", "extensions")):
        body = {"query": TYPENAME, name: None}
        audits.append(Audit(f"94B{index}", f"allow null {name}", OK, body, accept=GRAPHQL, without="errors"))
        audits.append(Audit(f"022{index}", f"allow null {name}", OK, body, accept=JSON, without="errors"))
    return audits


def wrong_types() -> list[Audit]:
    audits: list[Audit] = []
    not_strings: list[Any] = [{"obj": "ect"}, 0, False, ["array"]]
    not_objects: list[Any] = ["string", 0, False, ["array"]]
    for index, value in enumerate(not_strings):
        audits.append(Audit(f"LKJ{index}", f"400 on query {value}", BAD_REQUEST, {"query": value}))
        body = {"query": TYPENAME, "operationName": value}
        audits.append(Audit(f"6C0{index}", f"400 on operationName {value}", BAD_REQUEST, body))
    for index, value in enumerate(not_objects):
        audits.append(
            Audit(f"476{index}", f"400 on variables {value}", BAD_REQUEST, {"query": TYPENAME, "variables": value})
        )
        audits.append(
            Audit(f"58B{index}", f"400 on extensions {value}", BAD_REQUEST, {"query": TYPENAME, "extensions": value})
        )
    return audits


AUDITS = [
    Audit("22EB", "accept the newer type and match it", OK, {"query": TYPENAME}, accept=GRAPHQL, answer_type=GRAPHQL),
    Audit("4655", "accept application/json and match it", OK, {"query": TYPENAME}, accept=JSON, answer_type=JSON),
    Audit("47DE", "accept */* and use application/json", OK, {"query": TYPENAME}, answer_type=JSON),
    Audit("80D8", "assume application/json without accept", OK, {"query": TYPENAME}, accept=None, answer_type=JSON),
    Audit("82A3", "use UTF-8 when responding", OK, {"query": TYPENAME}, answer_type="charset=utf-8"),
    Audit(
        "BF61",
        "accept UTF-8 in the request",
        OK,
        {"query": '{ __type(name: "Run🏃Swim🏊") { name } }'},
        content_type=f"{JSON}; charset=utf-8",
    ),
    Audit("78D5", "assume UTF-8 in the request", OK, {"query": TYPENAME}),
    Audit("2C94", "accept POST", OK, {"query": TYPENAME}),
    Audit("5A70", "accept GET", OK, get={"query": TYPENAME}),
    Audit("9C48", "no mutations by GET", CLIENT_ERROR, get={"query": "mutation { __typename }"}, accept=GRAPHQL),
    Audit("9ABE", "4xx without content-type", CLIENT_ERROR, {"query": TYPENAME}, content_type=None),
    Audit("03D4", "accept application/json POST", OK, {"query": TYPENAME}),
    Audit("A5BF", "400 without a body", BAD_REQUEST, raw=b""),
    Audit("423L", "400 without query", BAD_REQUEST, {"notquery": TYPENAME}, accept=GRAPHQL),
    Audit("34A2", "allow a string query", OK, {"query": TYPENAME}, accept=GRAPHQL),
    Audit("13EE", "allow a string query", OK, {"query": TYPENAME}, accept=JSON, without="errors"),
    Audit("8161", "allow operationName", OK, {"operationName": "Q", "query": "query Q { __typename }"}, accept=GRAPHQL),
    Audit(
        "B8B3",
        "allow operationName",
        OK,
        {"operationName": "Q", "query": "query Q { __typename }"},
        accept=JSON,
        without="errors",
    ),
    *nulls(),
    *wrong_types(),
    Audit("2EA1", "allow variables", OK, {"query": BY_NAME, "variables": {"name": "a"}}, accept=GRAPHQL),
    Audit("28B9", "allow variables", OK, {"query": BY_NAME, "variables": {"name": "a"}}, accept=JSON, without="errors"),
    Audit(
        "D6D5",
        "variables in GET",
        OK,
        get={"query": BY_NAME, "variables": '{"name":"a"}'},
        accept=GRAPHQL,
        without="errors",
    ),
    Audit(
        "6A70",
        "variables in GET",
        OK,
        get={"query": BY_NAME, "variables": '{"name":"a"}'},
        accept=JSON,
        without="errors",
    ),
    Audit("428F", "allow extensions", OK, {"query": TYPENAME, "extensions": {"some": "value"}}, accept=GRAPHQL),
    Audit(
        "1B7A",
        "allow extensions",
        OK,
        {"query": TYPENAME, "extensions": {"some": "value"}},
        accept=JSON,
        without="errors",
    ),
    Audit("B6DC", "an HTTP status on broken JSON", range(200, 600), raw=b'{ "not a JSON', accept=JSON),
    Audit("BCF8", "400 on broken JSON", BAD_REQUEST, raw=b'{ "not a JSON', accept=JSON),
    Audit("B7N8", "400 on broken JSON", BAD_REQUEST, raw=b'{ "not a JSON', accept=GRAPHQL),
    Audit("8764", "4xx on invalid parameters", CLIENT_ERROR, {"qeury": TYPENAME}),
    Audit("3E3A", "400 on invalid parameters", BAD_REQUEST, {"qeury": TYPENAME}),
    Audit("572B", "200 on parsing failure", OK, {"query": "{"}, accept=JSON),
    Audit("FDE2", "200 on validation failure", OK, {"query": UNKNOWN}, accept=JSON),
    Audit("7B9B", "200 on coercion failure", OK, {"query": COERCION, "variables": {"id": None}}, accept=JSON),
    Audit("865D", "4xx on parsing failure", CLIENT_ERROR, {"query": "{"}, accept=GRAPHQL),
    Audit("556A", "400 on parsing failure", BAD_REQUEST, {"query": "{"}, accept=GRAPHQL),
    Audit("D586", "no data on parsing failure", BAD_REQUEST, {"query": "{"}, accept=GRAPHQL, without="data"),
    Audit("51FE", "4xx on validation failure", CLIENT_ERROR, {"query": UNKNOWN}, accept=GRAPHQL),
    Audit("74FF", "400 on validation failure", BAD_REQUEST, {"query": UNKNOWN}, accept=GRAPHQL),
    Audit("5E5B", "no data on validation failure", BAD_REQUEST, {"query": UNKNOWN}, accept=GRAPHQL, without="data"),
    Audit(
        "86EE", "400 on coercion failure", BAD_REQUEST, {"query": COERCION, "variables": {"id": None}}, accept=GRAPHQL
    ),
]


@pytest.mark.parametrize("audit", AUDITS, ids=lambda audit: f"{audit.id} {audit.rule}")
async def test_audit(client: Client, audit: Audit) -> None:
    headers = {name: value for name, value in (("accept", audit.accept), ("content-type", audit.content_type)) if value}
    if audit.accept is None:
        del client.http.headers["accept"]
    if audit.get is not None:
        response = await client.http.get("/graphql", params=audit.get, headers={"accept": audit.accept or "*/*"})
    else:
        content = audit.raw if audit.raw is not None else orjson.dumps(audit.body)
        response = await client.http.post("/graphql", content=content, headers=headers)
    assert response.status_code in audit.status
    assert audit.answer_type is None or audit.answer_type in response.headers["content-type"]
    assert audit.without is None or audit.without not in response.json()


def test_every_audit_is_here_once() -> None:
    assert len({audit.id for audit in AUDITS}) == len(AUDITS) == 61
