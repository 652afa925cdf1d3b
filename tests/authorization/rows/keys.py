"""A workspace's own keys, and its audit log."""

from __future__ import annotations

from app.accounts.access.permissions import ApiScope
from tests.authorization.callers import KEYS, OWNERS
from tests.authorization.rows.makers import nodes
from tests.authorization.scene import Scene
from tests.authorization.table import Outcome, Row, Variables, all_of
from tests.support import operations


async def _a_new_key(scene: Scene) -> Variables:
    return {"input": {"workspaceId": scene.workspace, "name": "CI", "scopes": ["BILLING_READ"]}}


async def _an_unused_key(scene: Scene) -> Variables:
    made = await scene.backend.api_key(scene.owner, ApiScope.BILLING_READ)
    return {"input": {"id": made["apiKey"]["id"]}}


ROWS = [
    Row(
        "Mutation.createApiKey",
        operations.CREATE_API_KEY,
        OWNERS,
        given=_a_new_key,
        denied=all_of(KEYS, Outcome.FORBIDDEN),
    ),
    Row(
        "Mutation.revokeApiKey",
        operations.REVOKE_API_KEY,
        OWNERS,
        given=_an_unused_key,
        denied=all_of(KEYS, Outcome.FORBIDDEN),
    ),
    *nodes({"ApiKey": OWNERS, "AuditEvent": OWNERS}),
]
