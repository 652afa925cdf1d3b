"""Usage: everyone in the workspace sees the bars, those who see billing the credits and the names, the host product records."""

from __future__ import annotations

from uuid import uuid4

from tests.authorization.callers import EVERYONE, OUTSIDERS, SEE_BILLING, SEE_WORKSPACE, Who
from tests.authorization.rows.makers import nodes, the_workspace
from tests.authorization.scene import Scene
from tests.authorization.table import Outcome, Row, Variables, all_of
from tests.support import operations


async def _some_use(scene: Scene) -> Variables:
    used = {"workspaceId": scene.workspace, "resource": "sessions", "quantity": "1", "eventId": uuid4().hex}
    return {"input": {"events": [used]}}


async def _a_question(scene: Scene) -> Variables:
    return {"id": scene.workspace, "resource": "sessions", "quantity": "1"}


ROWS = [
    Row(
        "Workspace.usage",
        "query ($id: ID!) { workspace(id: $id) { usage { version bars { used } } } }",
        SEE_WORKSPACE,
        given=the_workspace,
        denied=all_of(OUTSIDERS, Outcome.NULL),
        path=("workspace", "usage"),
    ),
    Row(
        "Workspace.usage",
        "query ($id: ID!) { workspace(id: $id) { usage { bars { creditsSpent } } } }",
        SEE_BILLING,
        given=the_workspace,
        denied=all_of(SEE_WORKSPACE | OUTSIDERS, Outcome.NULL),
        label="with credits",
        path=("workspace", "usage", "bars", "0", "creditsSpent"),
    ),
    Row("Query.usageCheck", operations.CHECK_USAGE, SEE_WORKSPACE, given=_a_question),
    Row(
        "Mutation.recordUsage",
        operations.RECORD_USAGE,
        frozenset({Who.SERVICE_USAGE}),
        given=_some_use,
        denied=all_of(EVERYONE - {Who.SERVICE_USAGE, Who.NOBODY}, Outcome.FORBIDDEN),
    ),
    *nodes(dict.fromkeys(("Usage", "UsageBar"), SEE_WORKSPACE)),
]
