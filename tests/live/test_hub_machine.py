"""Whatever happens to hints, reads and connections: versions grow, rights hold, and the regular check reaches the final state."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, TypeVar
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from app.errors import Unauthenticated
from app.live import Hint, Versioned
from tests.live.doubles import COALESCE_SECONDS, RECHECK_SECONDS, World, run_ready_tasks

T = TypeVar("T")

_WORKSPACES = [UUID(int=1), UUID(int=2)]
_OBJECTS = [UUID(int=number) for number in range(10, 14)]
_AUTHORITIES = ["owner", "member"]

_workspaces = st.sampled_from(_WORKSPACES)
_objects = st.sampled_from(_OBJECTS)
_callers = st.sampled_from(_AUTHORITIES)
_positions = st.integers(min_value=0, max_value=1_000)


@dataclass(eq=False)
class Client:
    """A subscriber that takes one state at a time, when the machine says so."""

    stream: AsyncGenerator[Versioned, None]
    workspace_id: UUID
    object_id: UUID | None
    caller: str
    states: list[Versioned] = field(default_factory=list[Versioned])
    asking: asyncio.Task[Versioned] | None = None
    refused: bool = False

    async def ask(self) -> None:
        """Begin to wait for a state, unless it does already."""
        if self.asking is None and not self.refused:
            self.asking = asyncio.create_task(self._next())

    async def _next(self) -> Versioned:
        return await anext(self.stream)

    async def take(self) -> bool:
        """Take what has come, if anything has."""
        if self.asking is None or not self.asking.done():
            return False
        try:
            self.states.append(self.asking.result())
        except Unauthenticated:
            self.refused = True
        self.asking = None
        return True

    async def drain(self) -> None:
        """Take until nothing more comes."""
        taken = True
        while taken and not self.refused:
            await self.ask()
            await run_ready_tasks()
            taken = await self.take()

    async def leave(self) -> None:
        if self.asking is not None:
            self.asking.cancel()
            await asyncio.wait({self.asking})
        await self.stream.aclose()


class HubMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.world = World()
        self.clients: list[Client] = []
        self.network: list[Hint] = []
        for workspace_id in _WORKSPACES:
            for object_id in _OBJECTS:
                self.world.database.write(workspace_id, object_id)
        self.run(self.world.hub.start())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def happens(self, what: Callable[..., None], *arguments: object) -> None:
        """Have it happen in the loop, and what follows at once only begin."""
        self.loop.call_soon(what, *arguments)
        self.run(asyncio.sleep(0))

    @rule(workspace_id=_workspaces, object_id=_objects, caller=_callers)
    def subscribe(self, workspace_id: UUID, object_id: UUID, caller: str) -> None:
        stream = self.world.stream(workspace_id, object_id, caller)
        client = Client(stream, workspace_id, object_id, caller)
        self.clients.append(client)
        self.run(client.ask())

    @rule(workspace_id=_workspaces, caller=_callers)
    def subscribe_to_all(self, workspace_id: UUID, caller: str) -> None:
        stream = self.world.stream_all(workspace_id, caller, since=0)
        client = Client(stream, workspace_id, None, caller)
        self.clients.append(client)
        self.run(client.ask())

    @precondition(lambda self: self.clients)
    @rule(position=_positions)
    def unsubscribe(self, position: int) -> None:
        self.run(self.clients.pop(position % len(self.clients)).leave())

    @precondition(lambda self: self.clients)
    @rule(position=_positions)
    def take(self, position: int) -> None:
        client = self.clients[position % len(self.clients)]
        self.run(client.take())
        self.run(client.ask())

    @rule(workspace_id=_workspaces, object_id=_objects)
    def change(self, workspace_id: UUID, object_id: UUID) -> None:
        self.network.append(self.world.database.write(workspace_id, object_id))

    @precondition(lambda self: self.network)
    @rule(position=_positions, again=st.booleans())
    def hint_arrives_in_any_order_and_perhaps_twice(self, position: int, again: bool) -> None:
        position %= len(self.network)
        hint = self.network[position] if again else self.network.pop(position)
        self.happens(self.world.bus.deliver, [hint])

    @precondition(lambda self: self.network)
    @rule(position=_positions)
    def hint_is_lost(self, position: int) -> None:
        self.network.pop(position % len(self.network))

    @rule()
    def listening_begins_anew(self) -> None:
        self.network.clear()
        self.happens(self.world.bus.listen_anew)

    @rule(fails=st.booleans())
    def database_fails_or_recovers(self, fails: bool) -> None:
        self.world.database.fails = fails

    @rule(lag=st.integers(min_value=0, max_value=3))
    def replica_falls_behind(self, lag: int) -> None:
        self.world.database.lag = lag

    @precondition(lambda self: self.world.database.held is None)
    @rule()
    def reads_are_held(self) -> None:
        self.world.database.held = asyncio.Event()

    @rule()
    def reads_are_let_go(self) -> None:
        if self.world.database.held is not None:
            self.happens(self.world.database.held.set)
            self.world.database.held = None

    @rule(caller=_callers)
    def right_is_revoked(self, caller: str) -> None:
        self.world.rights.revoked[caller] = Unauthenticated()

    @rule(unreachable=st.booleans())
    def rights_cannot_be_checked(self, unreachable: bool) -> None:
        self.world.rights.unreachable = unreachable

    @rule(seconds=st.sampled_from([0.0, COALESCE_SECONDS, 1.0, RECHECK_SECONDS]))
    def time_passes(self, seconds: float) -> None:
        self.run(self.world.time.advance(seconds))

    @invariant()
    def versions_grow(self) -> None:
        for client in self.clients:
            for object_id in _OBJECTS:
                versions = [state.version for state in client.states if state.object_id == object_id]
                assert all(before < after for before, after in pairwise(versions))

    @invariant()
    def nobody_sees_what_was_not_asked_for(self) -> None:
        for client in self.clients:
            if client.object_id is not None:
                assert {state.object_id for state in client.states} <= {client.object_id}

    def teardown(self) -> None:
        try:
            self.run(self._everything_ends_well())
        finally:
            self.run(self.world.hub.aclose())
            self.loop.close()

    async def _everything_ends_well(self) -> None:
        """Once the parts work again, one round of checks brings every client to the final state, or to its refusal."""
        world = self.world
        world.database.fails, world.database.lag, world.rights.unreachable = False, 0, False
        if world.database.held is not None:
            world.database.held.set()
        await world.time.advance(2 * RECHECK_SECONDS)

        for client in self.clients:
            await client.drain()
            assert client.refused == (client.caller in world.rights.revoked)
            if not client.refused:
                self._assert_final(client)

        for client in self.clients:
            await client.leave()
        await world.time.advance(RECHECK_SECONDS)
        assert world.hub.open_streams == 0

    def _assert_final(self, client: Client) -> None:
        final = self.world.database.versions[client.workspace_id]
        seen = {state.object_id: state.version for state in client.states}
        expected = final if client.object_id is None else {client.object_id: final[client.object_id]}
        assert seen == expected


TestHubMachine = HubMachine.TestCase
TestHubMachine.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
