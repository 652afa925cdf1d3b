"""A workspace's subscription: everyone in the workspace sees the plan, those who see billing the money."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

from app.billing.subscriptions.kept_terms import keep_terms_of
from app.billing.subscriptions.pending_changes import PendingChange, PendingChangeKind, pending_as_json
from app.catalog import PlanTransition, plan_terms
from app.db.engine import Session
from app.db.unit_of_work import transact
from app.store import subscriptions as subscription_store
from tests.authorization.callers import KEYS, MANAGE_BILLING, OUTSIDERS, OWNERS, SEE_BILLING, SEE_WORKSPACE, Who
from tests.authorization.rows.makers import fields_of_subscription, the_workspace
from tests.authorization.scene import Scene
from tests.authorization.table import Given, Outcome, Row, Variables, all_of
from tests.support import plan_moves, subscribing
from tests.support.digest import settled
from tests.support.subscribing import stripe_invoices
from tests.support.subscriptions import choice_of

_NEXT_BILL = "query ($id: ID!) { workspace(id: $id) { upcomingInvoice { at } } }"
_MONEY_OF_PENDING = {"recurringPrice": "{ amount }", "expiresAt": "", "invoice": "{ id }"}
_PENDING = {
    "kind": "",
    "plan": "{ code }",
    "interval": "",
    "seats": "",
    "addOns": "{ quantity }",
    **_MONEY_OF_PENDING,
}


async def _with_everything(scene: Scene) -> Variables:
    """The workspace, with something to see in each field of its subscription; no subscription has all of it at a time."""
    database = scene.backend.database
    await settled(database)
    now, catalog, workspace_id = database.clock.now(), scene.backend.parts.runtime.catalog, scene.owner.workspace_id
    upgrade = PendingChange(
        kind=PendingChangeKind.AWAITING_PAYMENT,
        choice=choice_of(catalog, "team", 20),
        invoice_id=(await stripe_invoices(scene.backend, scene.owner))[0]["id"],
        expires_at=now + timedelta(days=1),
    )

    async def write(session: Session) -> None:
        row = await subscription_store.find(session, workspace_id)
        assert row is not None
        row.grace_ends_at, row.trial_ends_at, row.pending = now + timedelta(days=7), now, pending_as_json(upgrade)

    await transact(database, write)
    # what recurs is told with the next bill
    await scene.backend.api.query(_NEXT_BILL, {"id": scene.workspace}, token=scene.tokens[Who.OWNER])
    return await the_workspace(scene)


async def _on_a_legacy_plan(scene: Scene) -> Variables:
    """The workspace, on a plan that can only be left."""
    database, catalog = scene.backend.database, scene.backend.parts.runtime.catalog
    await settled(database)
    team = catalog.plan("team")
    assert team is not None
    transition = PlanTransition(to=catalog.fallback_plan_code, message="There are better ones.")
    legacy = plan_terms(catalog, replace(team, code="old-team", transition=transition))

    async def write(session: Session) -> None:
        row = await subscription_store.find(session, scene.owner.workspace_id)
        assert row is not None
        await keep_terms_of(session, legacy)
        row.terms_id = legacy.id

    await transact(database, write)
    return await the_workspace(scene)


def _asking(**given: object) -> Given:
    """What a mutation about the subscription is given: something that it refuses to those who may ask for it."""

    async def variables(scene: Scene) -> Variables:
        return {"input": {"workspaceId": scene.workspace, **given}}

    return variables


def _keyed(**given: object) -> Given:
    async def variables(scene: Scene) -> Variables:
        return {"input": {"workspaceId": scene.workspace, "idempotencyKey": uuid4().hex, **given}}

    return variables


_MUTATIONS = [
    Row(
        "Mutation.createCheckout",
        subscribing.CREATE_CHECKOUT,
        MANAGE_BILLING,
        given=_keyed(planCode="personal", interval="MONTH"),
        may_answer=frozenset({"CONFLICT"}),
    ),
    Row(
        "Mutation.changePlan",
        subscribing.CHANGE_PLAN,
        MANAGE_BILLING,
        given=_keyed(planCode="no-such-plan"),
        may_answer=frozenset({"PLAN_UNAVAILABLE"}),
    ),
    Row(
        "Mutation.changeSeats",
        subscribing.CHANGE_SEATS,
        MANAGE_BILLING,
        given=_keyed(seats=-1),
        may_answer=frozenset({"INVALID_INPUT"}),
    ),
    Row(
        "Mutation.setAddOnQuantity",
        subscribing.SET_ADD_ON_QUANTITY,
        MANAGE_BILLING,
        given=_keyed(addOnCode="fax", quantity=1),
        may_answer=frozenset({"INVALID_INPUT"}),
    ),
    Row(
        "Mutation.cancelSubscription",
        subscribing.CANCEL,
        MANAGE_BILLING,
        given=_asking(reason="x" * 1_001),
        may_answer=frozenset({"INVALID_INPUT"}),
    ),
    Row(
        "Mutation.contactSales",
        subscribing.CONTACT_SALES,
        OWNERS,
        given=_asking(message="x" * 2_001),
        denied=all_of(KEYS, Outcome.FORBIDDEN),
        may_answer=frozenset({"INVALID_INPUT"}),
    ),
    Row(
        "Mutation.keepSubscription",
        subscribing.KEEP,
        MANAGE_BILLING,
        given=_asking(),
        may_answer=frozenset({"NO_CHANGE"}),
    ),
    Row(
        "Mutation.transitionPlan",
        plan_moves.TRANSITION_PLAN,
        MANAGE_BILLING,
        given=_keyed(),
        may_answer=frozenset({"NO_CHANGE"}),
    ),
]

ROWS = [
    *_MUTATIONS,
    Row(
        "Workspace.planTransition",
        "query ($id: ID!) { workspace(id: $id) { planTransition { message } } }",
        SEE_WORKSPACE,
        given=_on_a_legacy_plan,
        denied=all_of(OUTSIDERS, Outcome.NULL),
        path=("workspace", "planTransition"),
    ),
    *fields_of_subscription(
        {
            "id": ("", SEE_WORKSPACE),
            "plan": ("{ code }", SEE_WORKSPACE),
            "status": ("", SEE_WORKSPACE),
            "interval": ("", SEE_WORKSPACE),
            "seats": ("{ total used available }", SEE_WORKSPACE),
            "addOns": ("{ quantity }", SEE_WORKSPACE),
            "currentPeriod": ("{ start end }", SEE_WORKSPACE),
            "renewsAt": ("", SEE_WORKSPACE),
            "trialEndsAt": ("", SEE_WORKSPACE),
            "graceEndsAt": ("", SEE_BILLING),
            "cancelAtPeriodEnd": ("", SEE_WORKSPACE),
            "recurringPrice": ("{ amount }", SEE_BILLING),
            "recurringTotal": ("{ amount }", SEE_BILLING),
            "version": ("", SEE_WORKSPACE),
        },
        _with_everything,
    ),
    *[
        Row(
            "Subscription.pendingChange",
            f"query ($id: ID!) {{ workspace(id: $id) {{ subscription {{ pendingChange {{ {name} {selection} }} }} }} }}",
            SEE_BILLING if name in _MONEY_OF_PENDING else SEE_WORKSPACE,
            given=_with_everything,
            denied=all_of(SEE_WORKSPACE | OUTSIDERS, Outcome.NULL),
            path=("workspace", "subscription", "pendingChange", name),
            label=name,
        )
        for name, selection in _PENDING.items()
    ],
]
