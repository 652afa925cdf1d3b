"""From stored documents to answers: private fields hidden, the fields asked for in `expand` filled in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

from sandbox.errors import Json, invalid
from sandbox.ids import kind_of
from sandbox.store import Transaction

MAX_EXPANSIONS = 20
MAX_DEPTH = 4

Include = Callable[[Transaction, Json], Awaitable[Any]]


def visible(value: Any) -> Any:
    """Return a copy without the fields that only the sandbox sees, whose names start with an underscore."""
    if isinstance(value, dict):
        fields = cast("Json", value)
        return {name: visible(inner) for name, inner in fields.items() if not name.startswith("_")}
    if isinstance(value, list):
        return [visible(inner) for inner in cast("list[Any]", value)]
    return value


async def render(tx: Transaction, body: Json, expand: list[str]) -> Json:
    """Return the answer for a document, with the paths of `expand` filled in.

    Raises StripeError for a path that leads to nothing that can be expanded, or that goes deeper than Stripe allows.
    """
    if len(expand) > MAX_EXPANSIONS:
        raise invalid("You cannot expand more than 20 properties.", param="expand")
    answer: Json = visible(body)
    for path in sorted(set(expand)):
        steps = path.split(".")
        if len([step for step in steps if step != "data"]) > MAX_DEPTH:
            raise invalid(f"You cannot expand more than 4 levels of a property: {path}", param="expand")
        await _expand(tx, answer, steps, path)
    return answer


async def _expand(tx: Transaction, node: Any, steps: list[str], path: str) -> None:
    """Fill in one path below `node`, in place."""
    if node is None or not steps:
        return
    if isinstance(node, list):
        for entry in cast("list[Any]", node):
            await _expand(tx, entry, steps, path)
        return
    if not isinstance(node, dict):
        raise _not_expandable(path)
    fields = cast("Json", node)
    step, rest = steps[0], steps[1:]
    include = INCLUDABLE.get((str(fields.get("object")), step))
    if step not in fields and include is not None:
        fields[step] = visible(await include(tx, fields))
    if step not in fields:
        if fields.get("deleted"):
            return
        raise _not_expandable(path)
    value = fields[step]
    if isinstance(value, str):
        fields[step] = await _referred(tx, value, path)
    elif not rest and value is not None and include is None and not isinstance(value, (dict, list)):
        raise _not_expandable(path)
    elif isinstance(value, list):
        entries = cast("list[Any]", value)
        fields[step] = [await _referred(tx, entry, path) if isinstance(entry, str) else entry for entry in entries]
    await _expand(tx, fields[step], rest, path)


async def _referred(tx: Transaction, object_id: str, path: str) -> Json:
    kind = kind_of(object_id)
    found = await tx.find(kind, object_id) if kind else None
    if found is None:
        raise _not_expandable(path)
    return visible(found)


def _not_expandable(path: str) -> Exception:
    return invalid(f"This property cannot be expanded ({path}).", param="expand")


def as_list(entries: list[Json], url: str, has_more: bool = False) -> Json:
    """Return Stripe's list object."""
    return {"object": "list", "data": entries, "has_more": has_more, "url": url}


async def _payments(tx: Transaction, invoice: Json) -> Json:
    payments = await tx.every("invoice_payment", {"invoice": invoice["id"]})
    return as_list(payments[::-1], f"/v1/invoice_payments?invoice={invoice['id']}")


async def _confirmation_secret(tx: Transaction, invoice: Json) -> Json | None:
    for payment in await tx.every("invoice_payment", {"invoice": invoice["id"], "is_default": True}):
        intent = await tx.get("payment_intent", payment["payment"]["payment_intent"])
        return {"type": "payment_intent", "client_secret": intent["client_secret"]}
    return None


async def _tax_ids(tx: Transaction, customer: Json) -> Json:
    found = await tx.every("tax_id", {"customer": customer["id"]})
    return as_list(found, f"/v1/customers/{customer['id']}/tax_ids")


async def _refunds(tx: Transaction, charge: Json) -> Json:
    found = await tx.every("refund", {"charge": charge["id"]})
    return as_list(found[::-1], f"/v1/charges/{charge['id']}/refunds")


async def _line_items(tx: Transaction, session: Json) -> Json:
    stored = await tx.get("checkout.session", session["id"])
    return as_list(stored["_line_items"], f"/v1/checkout/sessions/{session['id']}/line_items")


# fields that Stripe leaves out until they are asked for
INCLUDABLE: dict[tuple[str, str], Include] = {
    ("invoice", "payments"): _payments,
    ("invoice", "confirmation_secret"): _confirmation_secret,
    ("customer", "tax_ids"): _tax_ids,
    ("charge", "refunds"): _refunds,
    ("checkout.session", "line_items"): _line_items,
}
