"""In production an anonymous caller learns nothing of the schema but what it already knows."""

from __future__ import annotations

import pytest

from app.asgi.graphql import GraphQLSettings
from tests.asgi.conftest import Client, client_for, code_of

TOKEN = {"authorization": "Bearer good-token"}
INTROSPECTION = [
    "{ __schema { description } }",
    '{ __type(name: "Query") { name } }',
    "{ ...F } fragment F on Query { s: __schema { description } }",
]


@pytest.mark.parametrize("query", INTROSPECTION)
async def test_introspection_is_for_those_with_credentials(production: Client, query: str) -> None:
    assert code_of(await production.post(query)) == "GRAPHQL_VALIDATION_FAILED"
    assert "errors" not in (await production.post(query, headers=TOKEN)).json()
    assert code_of(await production.post(query)) == "GRAPHQL_VALIDATION_FAILED"


async def test_typename_is_no_introspection(production: Client) -> None:
    assert (await production.post("{ __typename }")).json() == {"data": {"__typename": "Query"}}


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        ("{ helo }", {}),
        ("{ hello(nam: 1) }", {}),
        ("{ ... on Quer { hello } }", {}),
        ("query($a: NoteInpu) { hello }", {}),
        ("query($a: NoteInput!) { note(draft: $a) }", {"a": {"txt": "x", "text": "y"}}),
        ('{ note(draft: { txt: "x", text: "y" }) }', {}),
    ],
)
async def test_suggestions_are_for_those_with_credentials(
    production: Client, query: str, variables: dict[str, object]
) -> None:
    assert "Did you mean" not in (await production.post(query, variables=variables)).text
    assert "Did you mean" in (await production.post(query, variables=variables, headers=TOKEN)).text


async def test_the_explorer_is_for_those_with_credentials(production: Client) -> None:
    assert (await production.get(accept="text/html")).status_code == 406
    assert (await production.get(accept="text/html", headers=TOKEN)).status_code == 200


async def test_the_explorer_can_be_opened_to_all() -> None:
    async with client_for(GraphQLSettings(production=True, explorer_for_anonymous=True)) as client:
        assert (await client.get(accept="text/html")).status_code == 200
        assert code_of(await client.post(INTROSPECTION[0])) == "GRAPHQL_VALIDATION_FAILED"


async def test_development_shows_all(client: Client) -> None:
    assert "errors" not in (await client.post(INTROSPECTION[0])).json()
    assert "Did you mean" in (await client.post("{ helo }")).text
    assert (await client.get(accept="text/html")).status_code == 200
