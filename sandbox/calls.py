"""What a call of the API is: the table's entry for it, and the validated request that its handler gets."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property

from sandbox.objects import Json
from sandbox.store import Transaction


@dataclass
class Call:
    """One validated request: its transaction, its parameters, the identifiers in its path."""

    tx: Transaction
    params: Json
    ids: dict[str, str]
    path: str
    publishable: bool = False

    @property
    def id(self) -> str:
        """The identifier in the path."""
        return self.ids["id"]


Handler = Callable[[Call], Awaitable[Json]]


@dataclass(frozen=True)
class Route:
    """A call of the API: its method and path, the SDK's type of its parameters, and its handler.

    `supports` names, separated by spaces, the parameters acted upon (`a.b` for one nested in `a`); others are refused.
    `publishable` opens the call to publishable keys that present the object's client secret.
    """

    method: str
    path: str
    params: type
    handler: Handler
    supports: str = ""
    publishable: bool = False

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The path as a regular expression with a group for each identifier."""
        return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.path))

    @cached_property
    def supported(self) -> frozenset[str]:
        """The parameters acted upon."""
        return frozenset(self.supports.split()) | {"expand"}
