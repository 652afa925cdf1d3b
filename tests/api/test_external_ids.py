"""The host product's own ids of workspaces: its servers find a workspace by them, and nobody else does."""

from __future__ import annotations

from uuid import uuid4

import pytest
from sqlalchemy import update

from app.accounts.access.permissions import ApiScope
from app.db.engine import Session
from app.db.tables.workspaces import WorkspaceRow
from app.db.unit_of_work import transact
from tests.support import operations
from tests.support.running_backend import Person, RunningBackend

_FIND = "query ($id: String!) { workspace(externalId: $id) { id externalId handle viewerRole } }"


async def _known(backend: RunningBackend) -> tuple[Person, str]:
    """Someone whose workspace the host product knows, and by what id."""
    person, external_id = await backend.sign_up(), f"crm/{uuid4()}"

    async def name(session: Session) -> None:
        chosen = update(WorkspaceRow).where(WorkspaceRow.id == person.workspace_id)
        await session.execute(chosen.values(external_id=external_id))

    await transact(backend.database, name)
    return person, external_id


@pytest.mark.parametrize("scope", ApiScope)
async def test_a_servers_key_finds_a_workspace_by_the_host_products_id(
    backend: RunningBackend, scope: ApiScope
) -> None:
    person, external_id = await _known(backend)

    found = await backend.api.query(_FIND, {"id": external_id}, token=await backend.service_key(scope))

    assert (found["workspace"]["id"], found["workspace"]["externalId"]) == (person.workspace, external_id)
    assert found["workspace"]["viewerRole"] is None


async def test_a_server_spends_from_the_workspace_that_it_found(backend: RunningBackend) -> None:
    person, external_id = await _known(backend)
    await backend.grant(person, "10")
    token = await backend.service_key(ApiScope.CREDITS_WRITE)

    found = (await backend.api.query(_FIND, {"id": external_id}, token=token))["workspace"]["id"]
    given = {"workspaceId": found, "amount": "4", "description": "A job", "idempotencyKey": uuid4().hex}
    spent = await backend.api.query(operations.DEDUCT, {"input": given}, token=token)

    assert spent["deductCredits"]["creditBalance"]["available"] == "6"


async def test_an_id_that_the_host_product_never_gave_is_null(backend: RunningBackend) -> None:
    token = await backend.service_key(ApiScope.USAGE_WRITE)

    for external_id in ("", "nobody", "x" * 10_000):
        assert (await backend.api.query(_FIND, {"id": external_id}, token=token))["workspace"] is None


async def test_persons_and_workspaces_keys_are_told_nothing_about_external_ids(backend: RunningBackend) -> None:
    person, external_id = await _known(backend)
    own_key = (await backend.api_key(person, ApiScope.BILLING_READ))["secret"]

    for token in (person.token, own_key):
        answers = [
            (await backend.api.send(_FIND, {"id": each}, token=token)).content for each in (external_id, "nobody")
        ]
        assert answers[0] == answers[1]
        assert await backend.api.refused(_FIND, {"id": external_id}, token=token) == "FORBIDDEN"
    assert await backend.api.refused(_FIND, {"id": external_id}) == "UNAUTHENTICATED"


@pytest.mark.parametrize("blanks", [" ", "\t", "\n", "\u00a0", "\u2003", " \r\n "])
async def test_an_external_id_is_trimmed_alike_when_it_is_stored_and_when_it_is_looked_up(
    backend: RunningBackend, blanks: str
) -> None:
    person, external_id = await backend.sign_up(), f"crm/{uuid4()}"
    operator = await backend.service_key(ApiScope.OPERATOR)
    padded = f"{blanks}{external_id}{blanks}"

    given = {"workspaceId": person.workspace, "externalId": padded}
    changed = await backend.api.query(
        "mutation ($input: UpdateWorkspaceInput!) { updateWorkspace(input: $input) { workspace { externalId } } }",
        {"input": given},
        token=operator,
    )

    assert changed["updateWorkspace"]["workspace"]["externalId"] == external_id
    for asked in (external_id, padded):
        found = await backend.api.query(_FIND, {"id": asked}, token=operator)
        assert found["workspace"]["id"] == person.workspace
