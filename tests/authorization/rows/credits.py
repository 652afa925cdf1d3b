"""The ledger of credits: what the host product's servers do."""

from __future__ import annotations

from uuid import uuid4

from tests.authorization.callers import SEE_BILLING, Who
from tests.authorization.rows.makers import nodes
from tests.authorization.scene import Scene
from tests.authorization.table import Row, Variables
from tests.support import operations

_SPENDERS = frozenset({Who.SERVICE_CREDITS})
_OPERATORS = frozenset({Who.SERVICE_OPERATOR})


async def _some_credits(scene: Scene) -> Variables:
    given = {"workspaceId": scene.workspace, "amount": "1", "description": "A job", "idempotencyKey": uuid4().hex}
    return {"input": given}


async def _a_gift(scene: Scene) -> Variables:
    some = await _some_credits(scene)
    return {"input": {**some["input"], "source": "PROMOTION"}}


async def _a_hold_to_capture(scene: Scene) -> Variables:
    return {"input": {"holdId": await scene.hold(), "amount": "1", "idempotencyKey": uuid4().hex}}


async def _a_hold_to_release(scene: Scene) -> Variables:
    return {"input": {"holdId": await scene.hold()}}


ROWS = [
    Row("Mutation.deductCredits", operations.DEDUCT, _SPENDERS, given=_some_credits),
    Row(
        "Mutation.holdCredits",
        "mutation ($input: HoldCreditsInput!) { holdCredits(input: $input) { hold { id } userErrors { code } } }",
        _SPENDERS,
        given=_some_credits,
    ),
    Row(
        "Mutation.captureHold",
        "mutation ($input: CaptureHoldInput!) { captureHold(input: $input) { hold { id } userErrors { code } } }",
        _SPENDERS,
        given=_a_hold_to_capture,
    ),
    Row(
        "Mutation.releaseHold",
        "mutation ($input: ReleaseHoldInput!) { releaseHold(input: $input) { hold { id } userErrors { code } } }",
        _SPENDERS,
        given=_a_hold_to_release,
    ),
    Row("Mutation.grantCredits", operations.GRANT, _OPERATORS, given=_a_gift),
    *nodes(dict.fromkeys(("CreditBalance", "CreditTransaction", "CreditGrant", "CreditHold"), SEE_BILLING)),
]
