"""Topics: the kinds of things that can be watched, how their states are read, and who is refused them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from app.errors import ProtocolError


class Versioned(Protocol):
    """A state of an object: a frozen value, whose version grows with every change of the object."""

    @property
    def object_id(self) -> UUID: ...
    @property
    def version(self) -> int: ...


S = TypeVar("S", bound=Versioned)
"""The states of a topic."""

C = TypeVar("C", bound=Hashable)
"""Who watches."""


@dataclass(frozen=True, slots=True)
class Topic(Generic[S, C]):
    """A kind of objects. `name` is what hints call it; no two topics of a process have the same."""

    name: str
    read: Callable[[UUID, frozenset[UUID] | None], Awaitable[Sequence[S]]]
    """Reads a workspace's present states: of the objects with these ids, leaving out what does not exist, or for None of all that a
    subscriber of the whole topic may see."""
    refusals: Callable[[UUID, Collection[C]], Awaitable[Mapping[C, ProtocolError]]]
    """Those of the callers, among whom there may be equal ones, who may not or no longer watch the topic in the workspace, and why.
    Raises where that is not known."""
