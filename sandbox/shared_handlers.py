"""The handlers that resources share: retrieve one object by its identifier, list many page by page."""

from __future__ import annotations

from sandbox.calls import Call, Handler
from sandbox.errors import resource_missing
from sandbox.objects import Json, list_object
from sandbox.store import DEFAULT_PAGE_SIZE, PageQuery

# the parameters of a list, for the table of routes
PAGING = "limit starting_after ending_before"
PAGING_AND_CREATED = f"{PAGING} created"

_COMPARISONS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


# what Stripe still answers, as deleted, once it was deleted; anything else is missing then
_ANSWERED_WHEN_DELETED = ("customer",)


def retrieve_by_id(kind: str) -> Handler:
    """Return the handler that answers an object by its identifier; of a deleted customer, that it was deleted."""

    async def handler(call: Call) -> Json:
        if kind in _ANSWERED_WHEN_DELETED:
            found = await call.tx.find_including_deleted(kind, call.id)
            if found is not None:
                return found
        return await call.tx.get(kind, call.id)

    return handler


def list_by(kind: str, *filters: str) -> Handler:
    """Return the handler that answers a page of objects; `filters` are the parameters compared for equality."""

    async def handler(call: Call) -> Json:
        query = page_query(call, kind)
        query.match = {name: call.params[name] for name in filters if name in call.params}
        return await answer_page(call, query)

    return handler


def page_query(call: Call, kind: str) -> PageQuery:
    """Return a query with the request's paging parameters and its range of creation times."""
    created = call.params.get("created", {})
    return PageQuery(
        kind,
        created={"=": created}
        if isinstance(created, int)
        else {_COMPARISONS[name]: at for name, at in created.items()},
        limit=call.params.get("limit", DEFAULT_PAGE_SIZE),
        starting_after=call.params.get("starting_after"),
        ending_before=call.params.get("ending_before"),
    )


def answer_part(call: Call, entries: list[Json]) -> Json:
    """Return the list object for a page of the entries within an object, by `limit` and `starting_after`."""
    limit, after = call.params.get("limit", DEFAULT_PAGE_SIZE), call.params.get("starting_after")
    PageQuery("", limit=limit)
    if after is not None:
        places = [place for place, entry in enumerate(entries) if entry["id"] == after]
        if not places:
            raise resource_missing(entries[0]["object"] if entries else "object", after, "starting_after", 400)
        entries = entries[places[0] + 1 :]
    return list_object(entries[:limit], call.path, len(entries) > limit)


async def answer_page(call: Call, query: PageQuery) -> Json:
    """Return the list object for a query."""
    found, has_more = await call.tx.find_page(query)
    return list_object(found, call.path, has_more)
