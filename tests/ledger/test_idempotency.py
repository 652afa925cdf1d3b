"""One key, one effect: replays answer, other inputs conflict, what did nothing is not remembered, and keys are forgotten."""

from __future__ import annotations

import pytest

from app.db.unit_of_work import transact
from app.errors import BadUserInput, IdempotencyConflict, NotFound
from app.ids import uuid7
from app.ledger.chart_of_accounts import Source
from app.ledger.movements import Grant, InsufficientCredits, Key, Posted, Spend
from app.ledger.post_movements import forget_keys
from tests.ledger.workspace import Workspace


async def test_a_replayed_spend_answers_the_first_transaction_and_does_nothing(workspace: Workspace) -> None:
    await workspace.grant(10)
    key = Key.of("deductCredits", "k", 3)
    first = await workspace.spend(3, key=key)
    await workspace.spend(1)
    again = await workspace.spend(3, key=key)
    assert again.transaction == first.transaction
    assert (again.is_replay, first.is_replay) == (True, False)
    assert (await workspace.balance()).available == 6


async def test_a_replay_is_answered_even_when_nothing_is_left(workspace: Workspace) -> None:
    await workspace.grant(3)
    key = Key.of("deductCredits", "k", 3)
    first = await workspace.spend(3, key=key)
    assert (await workspace.spend(3, key=key)).transaction == first.transaction


async def test_the_same_key_with_another_input_conflicts(workspace: Workspace) -> None:
    await workspace.grant(10)
    await workspace.spend(3, key=Key.of("deductCredits", "k", 3))
    with pytest.raises(IdempotencyConflict):
        await workspace.spend(4, key=Key.of("deductCredits", "k", 4))
    assert (await workspace.balance()).available == 7


async def test_a_key_belongs_to_its_mutation_and_its_workspace(workspace: Workspace) -> None:
    other = Workspace(workspace.database)
    key = Key.of("deductCredits", "k", 3)
    for each in (workspace, other):
        await each.grant(10, key=Key.of("grantCredits", "k", 10))
        await each.spend(3, key=key)
        assert (await each.balance()).available == 7


async def test_the_same_key_twice_in_one_list_has_one_effect(workspace: Workspace) -> None:
    await workspace.grant(10)
    spend = Spend(workspace_id=workspace.id, amount=3, description="Use", key=Key.of("deductCredits", "k", 3))
    first, second = await workspace.do_all(spend, spend)
    assert isinstance(first, Posted)
    assert isinstance(second, Posted)
    assert first.transaction == second.transaction
    assert (await workspace.balance()).available == 7


async def test_a_refused_call_is_not_remembered(workspace: Workspace) -> None:
    key = Key.of("deductCredits", "k", 3)
    with pytest.raises(InsufficientCredits):
        await workspace.spend(3, key=key)
    await workspace.grant(10)
    assert not (await workspace.spend(3, key=key)).is_replay


async def test_replays_of_holds_and_captures_answer_the_holds_present_state(workspace: Workspace) -> None:
    await workspace.grant(10)
    hold_key, capture_key = Key.of("holdCredits", "k", 6), Key.of("captureHold", "k", 2)
    hold = await workspace.hold(6, key=hold_key)
    captured = await workspace.capture(hold, 2, key=capture_key)
    again = await workspace.capture(hold, 2, key=capture_key)
    assert (again.transaction, again.hold) == (captured.transaction, captured.hold)
    # a caller that retries a hold makes up another id for it, and is answered with the first
    other_id = await workspace.hold(6, key=hold_key)
    with pytest.raises(NotFound):
        await workspace.release(other_id)
    assert (await workspace.balance()).available == 8


async def test_a_purchase_is_granted_once_whoever_settles_it(workspace: Workspace) -> None:
    purchase = uuid7()
    first = await workspace.grant(10, source=Source.PURCHASE, purchase_id=purchase)
    again = await workspace.grant(10, source=Source.PURCHASE, purchase_id=purchase)
    assert (again.transaction, again.is_replay) == (first.transaction, True)
    grant = Grant(
        workspace_id=workspace.id, amount=5, source=Source.AUTO_RECHARGE, description="Grant", purchase_id=uuid7()
    )
    answers = await workspace.do_all(grant, grant)
    assert [isinstance(answer, Posted) and answer.is_replay for answer in answers] == [False, True]
    assert (await workspace.balance()).available == 15


async def test_keys_are_kept_for_ninety_days(workspace: Workspace) -> None:
    await workspace.grant(10)
    key = Key.of("deductCredits", "k", 3)
    await workspace.spend(3, key=key)
    workspace.wait(days=90)
    assert (await workspace.spend(3, key=key)).is_replay
    # a moment later the key is free, whether or not the purge has run
    workspace.wait(microseconds=1)
    assert not (await workspace.spend(3, key=key)).is_replay
    assert (await workspace.balance()).available == 4


async def test_the_purge_forgets_old_keys_and_nothing_else(workspace: Workspace) -> None:
    await workspace.grant(10, key=Key.of("grantCredits", "k", 10))
    workspace.wait(days=1)
    young = Key.of("deductCredits", "k", 3)
    await workspace.spend(3, key=young)
    workspace.wait(days=90, microseconds=-1)
    history = await workspace.history()
    assert await transact(workspace.database, forget_keys) >= 1
    assert await workspace.history() == history
    assert (await workspace.spend(3, key=young)).is_replay
    assert not (await workspace.grant(10, key=Key.of("grantCredits", "k", 10))).is_replay


@pytest.mark.parametrize("value", ["", "x" * 256])
def test_a_key_has_1_to_255_characters(value: str) -> None:
    with pytest.raises(BadUserInput):
        Key.of("deductCredits", value)
