"""Setup intents: created, retrieved, confirmed, canceled."""

from __future__ import annotations

from sandbox.calls import Call
from sandbox.objects import Json
from sandbox.resources.payments.intents import (
    get_by_id_or_secret,
    payment_method_to_confirm,
    refuse_session_intent,
    set_payment_method,
)
from sandbox.resources.payments.setup_attempts import attempt_setup, cancel_setup
from sandbox.resources.payments.setup_intent_object import create_setup_intent


async def create(call: Call) -> Json:
    """POST /v1/setup_intents."""
    params = call.params
    if "customer" in params:
        await call.tx.get("customer", params["customer"], "customer")
    intent = await create_setup_intent(call.tx, params)
    if params.get("confirm"):
        return await _confirm(call, intent)
    if "payment_method" in params:
        return await set_payment_method(call.tx, intent, params["payment_method"])
    return intent


async def retrieve(call: Call) -> Json:
    """GET /v1/setup_intents/{id}, also with a publishable key and the client secret."""
    return await get_by_id_or_secret(call, "setup_intent")


async def confirm(call: Call) -> Json:
    """POST /v1/setup_intents/{id}/confirm. Raises a card error for a card that can't be saved."""
    return await _confirm(call, await get_by_id_or_secret(call, "setup_intent"))


async def cancel(call: Call) -> Json:
    """POST /v1/setup_intents/{id}/cancel; the intent of a Checkout session is canceled only with the session."""
    intent = await call.tx.get("setup_intent", call.id)
    refuse_session_intent(intent)
    return await cancel_setup(call.tx, intent, call.params.get("cancellation_reason"))


async def _confirm(call: Call, intent: Json) -> Json:
    params, tx = call.params, call.tx
    method = await payment_method_to_confirm(tx, intent, params)
    intent["_return_url"] = params.get("return_url", intent["_return_url"])
    error = await attempt_setup(tx, intent, method)
    await tx.update_dependents(intent)
    if error is not None:
        raise error
    return intent
