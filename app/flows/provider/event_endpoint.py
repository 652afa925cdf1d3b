"""The endpoint that the payment provider reports events to: made once, even if several processes start at the same moment.

It is looked at again from time to time: someone may delete, disable or change it in the provider's dashboard.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import structlog
from cryptography.fernet import Fernet, InvalidToken

from app.db.engine import Session
from app.db.tables.system import SystemSecretRow
from app.db.unit_of_work import transact
from app.flows.flow_context import FlowContext
from app.payments.gateway_values import EventEndpoint
from app.store import system as system_store

_LOCK = 0x776562

# What stands for all types of events.
_EVERYTHING: Final = "*"

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


async def ensure_event_endpoint(context: FlowContext, url: str, event_types: Sequence[str], cipher: Fernet) -> str:
    """The secret with which the provider signs the events it sends to `url`; the endpoint is made if there is none.

    The provider returns the secret only when the endpoint is made, so it is stored, encrypted. Where it is lost, or the endpoint is
    gone, a new endpoint replaces the old one; one that was disabled, or given another address or other events, is set right and
    keeps its secret. Raises `GatewayUnavailable` or `GatewayRefused`.
    """
    # A lock of the connection, not of a transaction: no transaction may be open during the calls to the provider.
    async with context.database.raw() as connection:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        try:
            return await _ensure(context, url, event_types, cipher)
        finally:
            await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK)


async def stored_secret(context: FlowContext, url: str, cipher: Fernet) -> str | None:
    """The secret of the endpoint for `url` as it is stored now, by whichever process made it; None without one that can be read."""
    async with context.database.read() as session:
        kept = await system_store.find(session, _name(url))
    return _readable(kept, cipher)


async def endpoint_problems(context: FlowContext, url: str, event_types: Sequence[str]) -> Sequence[str]:
    """What is wrong with the endpoint for `url` that an operator made, in a sentence each.

    It is not ours to change: its secret was given to us. Raises `GatewayUnavailable` or `GatewayRefused`.
    """
    there = [endpoint for endpoint in await context.gateway.event_endpoints() if endpoint.url == url]
    if not there:
        return [f"Stripe has no webhook endpoint for {url}."]
    enabled = [endpoint for endpoint in there if endpoint.is_enabled]
    if not enabled:
        return [f"The webhook endpoint for {url} is disabled in Stripe."]
    sent = frozenset[str]().union(*(endpoint.event_types for endpoint in enabled))
    missing = sorted(set(event_types) - sent) if _EVERYTHING not in sent else []
    return [f"The webhook endpoint for {url} is not sent these events: {', '.join(missing)}."] if missing else []


async def _ensure(context: FlowContext, url: str, event_types: Sequence[str], cipher: Fernet) -> str:
    async with context.database.read() as session:
        kept = await system_store.find(session, _name(url))
    there = await context.gateway.event_endpoints()
    ours = next((each for each in there if kept is not None and each.id == kept.external_id), None)
    secret = _readable(kept, cipher)
    if ours is not None and secret is not None:
        if wrong := _differences(ours, url, event_types):
            await context.gateway.update_event_endpoint(ours.id, url, event_types)
            _log.warning("webhook.updated", endpoint=ours.id, changed=wrong)
        return secret
    for endpoint in there:
        if endpoint.url == url or endpoint is ours:
            await context.gateway.delete_event_endpoint(endpoint.id)
    made = await context.gateway.create_event_endpoint(url, event_types)
    new_secret = made.secret or ""

    async def save(session: Session) -> None:
        await system_store.save(session, _name(url), cipher.encrypt(new_secret.encode()), external_id=made.id)

    await transact(context.database, save, step="webhook.save")
    if kept is not None:
        _log.warning("webhook.made_again", endpoint=made.id, reason="secret unreadable" if ours else "deleted")
    return new_secret


def _differences(endpoint: EventEndpoint, url: str, event_types: Sequence[str]) -> list[str]:
    """What of an endpoint is not as it was made, in a word each."""
    differs = {
        "url": endpoint.url != url,
        "events": endpoint.event_types != frozenset(event_types),
        "disabled": not endpoint.is_enabled,
    }
    return [name for name, is_so in differs.items() if is_so]


def _name(url: str) -> str:
    return f"webhook:{url}"


def _readable(kept: SystemSecretRow | None, cipher: Fernet) -> str | None:
    """The stored secret; None where there is none, or where SECRET_KEY was changed so that it can't be read any more."""
    try:
        return cipher.decrypt(kept.ciphertext).decode() if kept is not None else None
    except InvalidToken:
        return None
