"""Who may do what: each credential against each mutation and each field about money, and that a denial changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import delete, func, select

from app.accounts.access import ApiScope, WorkspaceRole
from app.db.engine import Session
from app.db.tables.ledger import LedgerTransactionRow
from app.db.tables.payments import CreditPurchaseRow
from app.db.tables.workspaces import MembershipRow
from app.db.unit_of_work import transact
from tests.support import operations
from tests.support.house import Person, RunningHouse

_MONEY = """query ($id: ID!) {
  workspace(id: $id) {
    viewerRole permissions
    creditBalance { available } spend { spent { amount } } paymentMethods { id } phone { masked }
    invoices { nodes { id } } purchases { nodes { id } }
  }
}"""
_MONEY_FIELDS = ("creditBalance", "spend", "paymentMethods", "invoices", "purchases")

_MUTATIONS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "rechargeCredits": (operations.RECHARGE, {"packCode": "starter", "idempotencyKey": "denied"}),
    "addPaymentMethod": (operations.ADD_CARD, {}),
    "deductCredits": (operations.DEDUCT, {"amount": "1", "description": "Denied", "idempotencyKey": "denied"}),
    "grantCredits": (
        operations.GRANT,
        {"amount": "1", "source": "PROMOTION", "description": "Denied", "idempotencyKey": "denied"},
    ),
}
# which of them each credential may call for the workspace; all others answer the code given
_OWNERS = {"rechargeCredits", "addPaymentMethod"}
_ALLOWED: Mapping[str, tuple[set[str], str]] = {
    "owner": (_OWNERS, "FORBIDDEN"),
    "admin": (set(), "FORBIDDEN"),
    "member": (set(), "FORBIDDEN"),
    "stranger": (set(), "NOT_FOUND"),
    "anonymous": (set(), "UNAUTHENTICATED"),
    "a made-up token": (set(), "UNAUTHENTICATED"),
    "BILLING_READ": (set(), "FORBIDDEN"),
    "BILLING_WRITE": (_OWNERS, "FORBIDDEN"),
    "USAGE_WRITE": (set(), "FORBIDDEN"),
    "CREDITS_WRITE": ({"deductCredits"}, "FORBIDDEN"),
    "OPERATOR": ({"grantCredits"}, "FORBIDDEN"),
}
_SEE_BILLING = {"owner", "BILLING_READ", "BILLING_WRITE", "OPERATOR"}
_SEE_NOTHING = {"stranger", "anonymous", "a made-up token"}


async def _credential(house: RunningHouse, owner: Person, kind: str) -> str | None:
    match kind:
        case "owner":
            return owner.token
        case "anonymous":
            return None
        case "a made-up token":
            return "made-up"
        case "stranger":
            return (await house.sign_up()).token
        case "admin" | "member":
            return (await _member(house, owner, WorkspaceRole(kind.upper()))).token
        case scope:
            return await house.service_key(ApiScope(scope))


async def _member(house: RunningHouse, owner: Person, role: WorkspaceRole) -> Person:
    person = await house.sign_up()

    async def join(session: Session) -> None:
        session.add(
            MembershipRow(
                workspace_id=owner.workspace_id, user_id=person.user_id, role=role.value, joined_at=session.real_now
            )
        )

    await transact(house.database, join)
    return person


async def _rows(house: RunningHouse, owner: Person) -> list[int | None]:
    """How many movements and purchases the workspace has."""
    movements = select(func.count()).where(LedgerTransactionRow.workspace_id == owner.workspace_id)
    purchases = select(func.count()).where(CreditPurchaseRow.workspace_id == owner.workspace_id)
    async with house.database.read() as session:
        return [await session.scalar(movements), await session.scalar(purchases)]


@pytest.mark.parametrize("mutation", _MUTATIONS)
@pytest.mark.parametrize("kind", _ALLOWED)
async def test_who_may_call_a_mutation_about_money_and_that_a_denial_changes_nothing(
    house: RunningHouse, kind: str, mutation: str
) -> None:
    owner = await house.sign_up()
    await house.grant(owner, "5")
    token = await _credential(house, owner, kind)
    allowed, code = _ALLOWED[kind]
    document, given = _MUTATIONS[mutation]
    variables = {"input": {"workspaceId": owner.workspace, **given}}
    before = await _rows(house, owner)

    if mutation in allowed:
        answer = await house.api.query(document, variables, token=token)
        assert mutation in answer
    else:
        assert await house.api.refused(document, variables, token=token) == code
        assert await _rows(house, owner) == before


@pytest.mark.parametrize("kind", _ALLOWED)
async def test_who_sees_what_a_workspace_pays(house: RunningHouse, kind: str) -> None:
    owner = await house.sign_up()
    token = await _credential(house, owner, kind)

    if token is None or kind == "a made-up token":
        assert await house.api.refused(_MONEY, {"id": owner.workspace}, token=token) == "UNAUTHENTICATED"
        return
    seen: dict[str, Any] | None = (await house.api.query(_MONEY, {"id": owner.workspace}, token=token))["workspace"]

    if kind in _SEE_NOTHING:
        assert seen is None
        return
    assert seen is not None
    assert [field for field in _MONEY_FIELDS if (seen[field] is not None) != (kind in _SEE_BILLING)] == []
    assert ("VIEW_BILLING" in seen["permissions"]) == (kind in _SEE_BILLING)
    assert seen["viewerRole"] == (kind.upper() if kind in ("owner", "admin", "member") else None)


@pytest.mark.parametrize("kind", sorted(_ALLOWED.keys() - _SEE_BILLING))
async def test_who_may_not_watch_a_balance(house: RunningHouse, kind: str) -> None:
    owner = await house.sign_up()
    token = await _credential(house, owner, kind)
    variables = {"id": owner.workspace}
    headers = {"accept": "text/event-stream", **({"authorization": f"Bearer {token}"} if token else {})}

    answer = await house.api.http.post(
        f"{house.api.url}/graphql",
        json={"query": operations.WATCH_BALANCE, "variables": variables},
        headers=headers,
    )

    assert _ALLOWED[kind][1] in answer.text
    assert "available" not in answer.text


async def test_who_leaves_a_workspace_loses_its_rights_at_once(house: RunningHouse) -> None:
    owner = await house.sign_up()
    member = await _member(house, owner, WorkspaceRole.OWNER)
    assert (await house.api.query(operations.BALANCE, {"id": owner.workspace}, token=member.token))["workspace"]

    async def leave(session: Session) -> None:
        await session.execute(
            delete(MembershipRow).where(
                MembershipRow.workspace_id == owner.workspace_id, MembershipRow.user_id == member.user_id
            )
        )

    await transact(house.database, leave)

    data = await house.api.query(operations.BALANCE, {"id": owner.workspace}, token=member.token)
    assert data["workspace"] is None


async def test_a_workspace_that_never_was_and_one_of_others_answer_alike(house: RunningHouse) -> None:
    owner, stranger = await house.sign_up(), await house.sign_up()
    made_up = owner.workspace[:-4] + ("AAAA" if not owner.workspace.endswith("AAAA") else "BBBB")
    key = {"packCode": "starter", "idempotencyKey": uuid4().hex}

    codes = [
        await house.api.refused(operations.RECHARGE, {"input": {"workspaceId": workspace, **key}}, token=stranger.token)
        for workspace in (owner.workspace, made_up, "", "Workspace_", "User_" + owner.workspace, "\N{SNOWMAN}")
    ]

    assert set(codes) == {"NOT_FOUND"}
