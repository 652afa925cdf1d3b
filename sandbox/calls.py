"""What a handler gets and what the table of routes is made of; the handlers that every resource shares."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property

from sandbox.errors import Json
from sandbox.expansion import as_list
from sandbox.store import Query, Transaction


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

PAGING_UNDATED = "limit starting_after ending_before"
PAGING = f"{PAGING_UNDATED} created"


@dataclass(frozen=True)
class Route:
    """A call of the API: where, with which parameters of the SDK, and who handles it.

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


def retrieve(kind: str) -> Handler:
    """Return the handler that answers an object by its identifier; deleted ones as their remainder."""

    async def handler(call: Call) -> Json:
        found = await call.tx.find(kind, call.id)
        return found or await call.tx.get(kind, call.id)

    return handler


def listing(kind: str, *filters: str) -> Handler:
    """Return the handler that answers a page of objects; `filters` are the parameters compared for equality."""

    async def handler(call: Call) -> Json:
        query = paged(call, kind)
        query.match = {name: call.params[name] for name in filters if name in call.params}
        return await answer_page(call, query)

    return handler


def paged(call: Call, kind: str) -> Query:
    """Return a query with the request's paging parameters and its range of creation times."""
    created = call.params.get("created", {})
    operators = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
    return Query(
        kind,
        created={"=": created} if isinstance(created, int) else {operators[name]: at for name, at in created.items()},
        limit=call.params.get("limit", 10),
        starting_after=call.params.get("starting_after"),
        ending_before=call.params.get("ending_before"),
    )


async def answer_page(call: Call, query: Query) -> Json:
    """Return the list object for a query."""
    found, has_more = await call.tx.page(query)
    return as_list(found, call.path, has_more)
