"""From stored objects to answers: the sandbox's own fields removed, the fields named in `expand` filled in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

from sandbox.errors import StripeError, invalid_request
from sandbox.ids import kind_of
from sandbox.objects import Json, list_object, visible
from sandbox.store import Transaction

MAX_EXPANSIONS = 20
MAX_DEPTH = 4

LoadField = Callable[[Transaction, Json], Awaitable[Any]]


async def render(tx: Transaction, body: Json, expand: list[str]) -> Json:
    """Return the answer for an object, with the paths of `expand` filled in.

    Raises StripeError for a path that leads to nothing that can be expanded, or that goes deeper than Stripe allows.
    """
    if len(expand) > MAX_EXPANSIONS:
        raise invalid_request(f"You cannot expand more than {MAX_EXPANSIONS} properties.", param="expand")
    answer: Json = visible(body)
    for path in sorted(set(expand)):
        steps = path.split(".")
        if len([step for step in steps if step != "data"]) > MAX_DEPTH:
            raise invalid_request(
                f"You cannot expand more than {MAX_DEPTH} levels of a property: {path}", param="expand"
            )
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
    load_field = INCLUDABLE.get((str(fields.get("object")), step))
    if step not in fields and load_field is not None:
        fields[step] = visible(await load_field(tx, fields))
    if step not in fields:
        if fields.get("deleted"):
            return
        raise _not_expandable(path)
    value = fields[step]
    if isinstance(value, str):
        fields[step] = await _object_with_id(tx, value, path)
    elif not rest and value is not None and load_field is None and not isinstance(value, (dict, list)):
        raise _not_expandable(path)
    elif isinstance(value, list):
        entries = cast("list[Any]", value)
        fields[step] = [
            await _object_with_id(tx, entry, path) if isinstance(entry, str) else entry for entry in entries
        ]
    await _expand(tx, fields[step], rest, path)


async def _object_with_id(tx: Transaction, object_id: str, path: str) -> Json:
    kind = kind_of(object_id)
    found = await tx.find_including_deleted(kind, object_id) if kind else None
    if found is None:
        raise _not_expandable(path)
    return visible(found)


def _not_expandable(path: str) -> StripeError:
    return invalid_request(f"This property cannot be expanded ({path}).", param="expand")


async def _invoice_payments(tx: Transaction, invoice: Json) -> Json:
    payments = await tx.find_all("invoice_payment", {"invoice": invoice["id"]})
    return list_object(payments[::-1], f"/v1/invoice_payments?invoice={invoice['id']}")


async def _confirmation_secret(tx: Transaction, invoice: Json) -> Json | None:
    for payment in await tx.find_all("invoice_payment", {"invoice": invoice["id"], "is_default": True}):
        intent = await tx.get("payment_intent", payment["payment"]["payment_intent"])
        return {"type": "payment_intent", "client_secret": intent["client_secret"]}
    return None


async def _tax_ids(tx: Transaction, customer: Json) -> Json:
    found = await tx.find_all("tax_id", {"customer": customer["id"]})
    return list_object(found, f"/v1/customers/{customer['id']}/tax_ids")


async def _subscriptions(tx: Transaction, customer: Json) -> Json:
    found = await tx.find_all("subscription", {"customer": customer["id"]})
    live = [each for each in found if each["status"] not in ("canceled", "incomplete_expired")]
    return list_object(live[::-1], f"/v1/customers/{customer['id']}/subscriptions")


async def _refunds(tx: Transaction, charge: Json) -> Json:
    found = await tx.find_all("refund", {"charge": charge["id"]})
    return list_object(found[::-1], f"/v1/charges/{charge['id']}/refunds")


async def _line_items(tx: Transaction, session: Json) -> Json:
    stored = await tx.get("checkout.session", session["id"])
    return list_object(stored["_line_items"], f"/v1/checkout/sessions/{session['id']}/line_items")


# Stripe's "includable" properties: left out of an answer unless `expand` names them
INCLUDABLE: dict[tuple[str, str], LoadField] = {
    ("invoice", "payments"): _invoice_payments,
    ("invoice", "confirmation_secret"): _confirmation_secret,
    ("customer", "subscriptions"): _subscriptions,
    ("customer", "tax_ids"): _tax_ids,
    ("charge", "refunds"): _refunds,
    ("checkout.session", "line_items"): _line_items,
}
