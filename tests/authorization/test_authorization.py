"""Who may do what: every field there is against every kind of caller. A denial changes nothing and tells nothing.

The table is in `rows`, whose first lines say how to add to it.
"""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from graphql import GraphQLInterfaceType, GraphQLObjectType

from schema.root import graphql_schema
from tests.authorization.callers import SEE_WORKSPACE, Who
from tests.authorization.nonsense import nonsense_for, without_ids
from tests.authorization.rows import all_rows
from tests.authorization.scene import Scene
from tests.authorization.table import Outcome, Row, Variables
from tests.support.digest import digest_of, settled

ROWS = all_rows()
# takes a file, which no JSON carries: who may upload is in `tests/api/test_avatars.py` and `tests/asgi/test_uploads.py`
_IN_TESTS_OF_THEIR_OWN = {"Mutation.uploadAvatar"}
_WITH_A_ROW_EACH = ("Query", "Mutation", "LiveUpdates", "Workspace", "Subscription", "User")


def _fields() -> set[str]:
    """Everything that must have a row: fields by type and name, types of node."""
    types = graphql_schema.type_map
    node = types["Node"]
    assert isinstance(node, GraphQLInterfaceType)
    names = {f"Query.node {kind.name}" for kind in graphql_schema.get_possible_types(node)}
    for name in _WITH_A_ROW_EACH:
        kind = types[name]
        assert isinstance(kind, GraphQLObjectType)
        names |= {f"{name}.{field}" for field in kind.fields}
    return names - _IN_TESTS_OF_THEIR_OWN


def test_every_field_has_its_row() -> None:
    assert _fields() - {str(row) for row in ROWS} - {row.field for row in ROWS} == set()


def test_no_row_is_of_a_field_that_is_not_there() -> None:
    fields = _fields()
    assert {row.field for row in ROWS} - fields == set()
    assert {str(row) for row in ROWS if row.field == "Query.node"} - fields == set()


def test_rows_of_one_field_have_a_label_each() -> None:
    names = [str(row) for row in ROWS]
    assert [name for name in names if names.count(name) > 1] == []


async def _send(scene: Scene, row: Row, variables: Variables, token: str | None) -> bytes:
    """The answer as it was sent; of a live update its first event."""
    headers = {"authorization": f"Bearer {token}"} if token is not None else {}
    headers["accept"] = "text/event-stream" if row.is_live else "application/graphql-response+json"
    body, url = {"query": row.document, "variables": variables}, f"{scene.backend.api.url}/graphql"
    if not row.is_live:
        return (await scene.backend.api.http.post(url, json=body, headers=headers)).content
    async with scene.backend.api.http.stream("POST", url, json=body, headers=headers) as response:
        async for line in response.aiter_lines():
            if line.startswith("data: "):
                return line.removeprefix("data: ").encode()
    return b"null"


def _read(answer: bytes) -> dict[str, Any]:
    return orjson.loads(answer)


def _denied(row: Row) -> list[Who]:
    return [who for who in Who if row.expected(who) is not Outcome.ALLOWED]


def _of_nothing(scene: Scene, row: Row, who: Who, variables: Variables) -> list[Variables]:
    """The same with what never was: within the workspace for those who know of it, anywhere for all others."""
    knows_of_it = who in SEE_WORKSPACE and row.is_of_workspace(scene.owner.workspace_id, variables)
    others = [row.beside(variables), *([] if knows_of_it else [row.nowhere(variables)])]
    return [other for other in others if other != variables]


@pytest.mark.parametrize("row", [row for row in ROWS if _denied(row)], ids=str)
async def test_who_may_not_is_refused_and_nothing_changes_or_is_told(scene: Scene, row: Row) -> None:
    variables = await row.given(scene)
    await settled(scene.backend.database)
    before = await digest_of(scene.backend.database)
    for who in _denied(row):
        token = await scene.token(who)
        answer = await _send(scene, row, variables, token)

        assert row.outcome(_read(answer)) == row.expected(who), who.value
        # what never was is answered alike, byte for byte
        for other in _of_nothing(scene, row, who, variables):
            assert await _send(scene, row, other, token) == answer, who.value
    assert await digest_of(scene.backend.database) == before


_MUTATIONS = [row for row in ROWS if row.field.startswith("Mutation.") and _denied(row)]


@pytest.mark.parametrize("row", _MUTATIONS, ids=str)
async def test_who_asks_is_judged_before_what_they_ask(scene: Scene, row: Row) -> None:
    variables = await row.given(scene)
    for who in _denied(row):
        token = await scene.token(who)
        ids = [without_ids(row.field, variables)] if who is Who.NOBODY else []
        for nonsense in [*nonsense_for(row.field, variables), *ids]:
            answer = _read(await _send(scene, row, nonsense, token))

            assert row.outcome(answer) == row.expected(who), (who.value, nonsense)


@pytest.mark.parametrize("row", ROWS, ids=str)
async def test_who_may_is_let_through(scene: Scene, row: Row) -> None:
    for who in Who:
        if row.expected(who) is Outcome.ALLOWED:
            variables = await row.given(scene)
            token = await scene.token(who, is_fresh=row.ends_session)
            answer = _read(await _send(scene, row, variables, token))

            assert row.outcome(answer) == Outcome.ALLOWED, who.value
    await settled(scene.backend.database)
