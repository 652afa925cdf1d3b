"""Any sequence of movements does what a plain model says, and leaves a ledger that proves sound.

`LEDGER_EXAMPLES` and `LEDGER_STEPS` set how deep to look; the default is a quick look.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar
from uuid import UUID

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from app.db.engine import Database
from app.errors import DomainError
from app.ledger.chart_of_accounts import Source
from app.ledger.committer import Committer
from app.ledger.movements import (
    Capture,
    Clawback,
    Grant,
    Hold,
    Key,
    Movement,
    Posted,
    Reinstate,
    Release,
    Spend,
)
from tests.ledger.model import Model, Refused, Use
from tests.ledger.workspace import Workspace, proof
from tests.support.databases import cloned_database

T = TypeVar("T")

_AMOUNTS = st.integers(1, 12)
_MINUTES = st.integers(1, 60)
_USES = st.tuples(st.sampled_from([None, "runs", "seats"]), st.sampled_from([None, UUID(int=7), UUID(int=2**127)]))
_DEPTH = settings(
    max_examples=int(os.environ.get("LEDGER_EXAMPLES", "20")),
    stateful_step_count=int(os.environ.get("LEDGER_STEPS", "40")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


class Machine(RuleBasedStateMachine):
    """Does the same to a workspace and to its model, and compares all that can be seen."""

    def __init__(self, database: Database, run: Callable[[Coroutine[Any, Any, T]], T]) -> None:
        super().__init__()
        self.workspace = Workspace(database)
        self.run: Callable[[Coroutine[Any, Any, Any]], Any] = run
        self.model = Model()
        self.purchases: list[UUID] = []
        self.keyed: list[tuple[Movement, Posted]] = []
        self.count = 0

    def key(self, scope: str) -> Key:
        self.count += 1
        return Key.of(scope, str(self.count), self.count)

    def do(self, movement: Movement, expected: Callable[[], None], *, together: bool) -> None:
        """Post by one of the two doors; whether it is refused must be what the model says."""
        self.model.settle(self.workspace.clock.moment)
        try:
            expected()
            allowed = True
        except Refused:
            allowed = False
        answer = self.run(self._submitted(movement) if together else self._posted(movement))
        assert isinstance(answer, Posted) == allowed, answer
        if isinstance(answer, Posted) and movement.key is not None:
            self.keyed.append((movement, answer))
        self.compare()

    async def _posted(self, movement: Movement) -> Posted | Exception:
        (answer,) = await self.workspace.do_all(movement)
        return answer

    async def _submitted(self, movement: Movement) -> Posted | Exception:
        committer = Committer(self.workspace.database)
        try:
            return await committer.submit(movement)
        except DomainError as refusal:
            return refusal
        finally:
            await committer.close()

    def compare(self) -> None:
        model, now = self.model, self.workspace.clock.moment
        balance = self.run(self.workspace.balance())
        live = [grant for grant in model.in_order() if grant.expires_at is None or grant.expires_at > now]
        assert [grant.remaining for grant in balance.grants] == [grant.left for grant in live]
        assert balance.available == sum(grant.left for grant in live) - model.debt
        assert balance.held == model.held
        assert balance.version == len(model.history)
        assert self.run(self.workspace.history()) == model.history
        assert self.run(self.workspace.uses()) == model.uses

    @rule(amount=_AMOUNTS, minutes=st.none() | _MINUTES, together=st.booleans())
    def grant(self, amount: int, minutes: int | None, together: bool) -> None:
        expires_at = self.workspace.in_time(minutes=minutes) if minutes else None
        movement = Grant(
            workspace_id=self.workspace.id,
            amount=amount,
            source=Source.PROMOTION,
            description="Grant",
            expires_at=expires_at,
            key=self.key("grant"),
        )
        self.do(movement, lambda: self.model.grant("BONUS", amount, expires_at, None), together=together)

    @rule(amount=_AMOUNTS, minutes=st.none() | _MINUTES, purchase_id=st.uuids())
    def buy(self, amount: int, minutes: int | None, purchase_id: UUID) -> None:
        if purchase_id in self.purchases:
            return
        expires_at = self.workspace.in_time(minutes=minutes) if minutes else None
        movement = Grant(
            workspace_id=self.workspace.id,
            amount=amount,
            source=Source.PURCHASE,
            description="Bought",
            expires_at=expires_at,
            purchase_id=purchase_id,
        )
        self.purchases.append(purchase_id)
        self.do(movement, lambda: self.model.grant("PURCHASE", amount, expires_at, purchase_id), together=False)

    @rule(amount=_AMOUNTS, use=_USES, keyed=st.booleans(), together=st.booleans())
    def spend(self, amount: int, use: Use, keyed: bool, together: bool) -> None:
        key = self.key("spend") if keyed else None
        resource, subject_id = use
        movement = Spend(
            workspace_id=self.workspace.id,
            amount=amount,
            description="Use",
            resource=resource,
            subject_id=subject_id,
            key=key,
        )
        self.do(movement, lambda: self.model.spend(amount, use), together=together)

    @rule(wanted=st.lists(st.tuples(_AMOUNTS, _USES), min_size=2, max_size=6))
    def spend_a_list(self, wanted: list[tuple[int, Use]]) -> None:
        self.model.settle(self.workspace.clock.moment)
        allowed: list[bool] = []
        for amount, use in wanted:
            try:
                self.model.spend(amount, use)
                allowed.append(True)
            except Refused:
                allowed.append(False)
        spends = [
            Spend(
                workspace_id=self.workspace.id,
                amount=amount,
                description="Use",
                resource=resource,
                subject_id=subject_id,
            )
            for amount, (resource, subject_id) in wanted
        ]
        answers = self.run(self.workspace.do_all(*spends))
        assert [isinstance(answer, Posted) for answer in answers] == allowed
        self.compare()

    @rule(amount=_AMOUNTS, minutes=_MINUTES, use=_USES, together=st.booleans())
    def hold(self, amount: int, minutes: int, use: Use, together: bool) -> None:
        resource, subject_id = use
        expires_at = self.workspace.in_time(minutes=minutes)
        movement = Hold(
            workspace_id=self.workspace.id,
            amount=amount,
            expires_at=expires_at,
            description="Job",
            resource=resource,
            subject_id=subject_id,
            key=self.key("hold"),
        )
        self.do(movement, lambda: self.model.hold(movement.id, amount, expires_at, use), together=together)

    @precondition(lambda self: self.model.holds)
    @rule(data=st.data(), amount=st.integers(0, 12), together=st.booleans())
    def capture(self, data: st.DataObject, amount: int, together: bool) -> None:
        hold_id = data.draw(st.sampled_from(list(self.model.holds)))
        now = self.workspace.clock.moment
        movement = Capture(workspace_id=self.workspace.id, hold_id=hold_id, amount=amount, key=self.key("capture"))
        self.do(movement, lambda: self.model.end(hold_id, amount, "CAPTURE", now), together=together)

    @precondition(lambda self: self.model.holds)
    @rule(data=st.data(), together=st.booleans())
    def release(self, data: st.DataObject, together: bool) -> None:
        hold_id = data.draw(st.sampled_from(list(self.model.holds)))
        now = self.workspace.clock.moment
        movement = Release(workspace_id=self.workspace.id, hold_id=hold_id)
        self.do(movement, lambda: self.model.end(hold_id, 0, "RELEASE", now), together=together)

    @precondition(lambda self: self.purchases)
    @rule(data=st.data(), amount=_AMOUNTS)
    def claw_back(self, data: st.DataObject, amount: int) -> None:
        purchase_id = data.draw(st.sampled_from(self.purchases))
        movement = Clawback(
            workspace_id=self.workspace.id, purchase_id=purchase_id, amount=amount, description="Refund"
        )
        self.do(movement, lambda: self.model.claw_back(purchase_id, amount), together=False)

    @precondition(lambda self: self.purchases)
    @rule(data=st.data(), amount=_AMOUNTS)
    def reinstate(self, data: st.DataObject, amount: int) -> None:
        purchase_id = data.draw(st.sampled_from(self.purchases))
        now = self.workspace.clock.moment
        movement = Reinstate(workspace_id=self.workspace.id, purchase_id=purchase_id, amount=amount, description="Won")
        self.do(movement, lambda: self.model.reinstate(purchase_id, amount, now), together=False)

    @precondition(lambda self: self.keyed)
    @rule(data=st.data(), together=st.booleans())
    def replay(self, data: st.DataObject, together: bool) -> None:
        movement, first = data.draw(st.sampled_from(self.keyed))
        self.model.settle(self.workspace.clock.moment)
        answer = self.run(self._submitted(movement) if together else self._posted(movement))
        assert isinstance(answer, Posted)
        assert (answer.transaction, answer.is_replay) == (first.transaction, True)
        self.compare()

    @rule(minutes=_MINUTES)
    def wait(self, minutes: int) -> None:
        self.workspace.wait(minutes=minutes)

    @rule()
    def settle_due(self) -> None:
        self.model.settle(self.workspace.clock.moment)
        self.run(self.workspace.settle_due())
        self.compare()


def test_every_sequence_of_movements_does_what_a_plain_model_says(server_url: str) -> None:
    with asyncio.Runner() as runner:
        cloned = cloned_database(server_url)
        database = runner.run(cloned.__aenter__())
        try:
            run_state_machine_as_test(lambda: Machine(database, runner.run), settings=_DEPTH)  # pyright: ignore
            report = runner.run(proof(database))
            assert report.is_sound, str(report.fault)
            assert report.transactions > 0
        finally:
            runner.run(cloned.__aexit__(None, None, None))
