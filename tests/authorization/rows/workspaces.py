"""Finding a workspace, and its own fields."""

from __future__ import annotations

from tests.authorization.callers import (
    EVERYONE,
    MEMBERS,
    OUTSIDERS,
    OWNERS,
    SEE_BILLING,
    SEE_WORKSPACE,
    SERVICE_KEYS,
    Who,
)
from tests.authorization.rows.makers import fields_of_workspace, nodes, the_workspace
from tests.authorization.scene import Scene
from tests.authorization.table import Outcome, Row, Variables, all_of


async def _by_handle(scene: Scene) -> Variables:
    return {"handle": scene.handle}


async def _by_external_id(scene: Scene) -> Variables:
    return {"externalId": scene.external_id}


ROWS = [
    Row(
        "Query.workspace",
        "query ($id: ID!) { workspace(id: $id) { id name permissions } }",
        SEE_WORKSPACE,
        given=the_workspace,
        denied=all_of(OUTSIDERS, Outcome.NULL),
        label="by id",
    ),
    Row(
        "Query.workspace",
        "query ($handle: String!) { workspace(handle: $handle) { id name permissions } }",
        SEE_WORKSPACE,
        given=_by_handle,
        denied=all_of(OUTSIDERS, Outcome.NULL),
        label="by handle",
        elsewhere=lambda _variables: {"handle": "nobody-has-this-one"},
    ),
    Row(
        "Query.workspace",
        "query ($externalId: String!) { workspace(externalId: $externalId) { id name permissions } }",
        SERVICE_KEYS,
        given=_by_external_id,
        denied=all_of(EVERYONE - SERVICE_KEYS - {Who.NOBODY}, Outcome.FORBIDDEN),
        label="by external id",
        elsewhere=lambda _variables: {"externalId": "nobody"},
    ),
    *nodes({"Workspace": SEE_WORKSPACE}),
    *fields_of_workspace(
        {
            "id": ("", SEE_WORKSPACE),
            "kind": ("", SEE_WORKSPACE),
            "name": ("", SEE_WORKSPACE),
            "handle": ("", SEE_WORKSPACE),
            "externalId": ("", SEE_WORKSPACE),
            "permissions": ("", SEE_WORKSPACE),
            "viewerRole": ("", MEMBERS),
            "phone": ("{ masked }", SEE_BILLING),
            "creditBalance": ("{ available }", SEE_BILLING),
            "spend": ("{ spent { amount } }", SEE_BILLING),
            "billingDetails": ("{ name taxIds { value } }", SEE_BILLING),
            "paymentMethods": ("{ id }", SEE_BILLING),
            "invoices": ("{ nodes { id } }", SEE_BILLING),
            "upcomingInvoice": ("{ askedAt }", SEE_BILLING),
            "purchases": ("{ nodes { id } }", SEE_BILLING),
            "auditLog": ("{ nodes { id actor detail } }", OWNERS),
            "apiKeys": ("{ id prefix }", OWNERS),
        }
    ),
]
