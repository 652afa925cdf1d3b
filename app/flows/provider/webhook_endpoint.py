"""The webhook endpoint at the payment provider: made once, even if several processes start at the same moment."""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken

from app.db.engine import Session
from app.db.unit_of_work import transact
from app.flows.flow_context import FlowContext
from app.store import system as system_store

_LOCK = 0x776562


async def ensure_webhook_endpoint(context: FlowContext, url: str, event_types: Sequence[str], cipher: Fernet) -> str:
    """The secret with which the provider signs the events it sends to `url`; the endpoint is made if there is none.

    The provider returns the secret only when the endpoint is made, so it is stored, encrypted. Where it is lost, or the endpoint is
    gone, a new endpoint replaces the old one. Raises `GatewayUnavailable` or `GatewayRefused`.
    """
    name = f"webhook:{url}"
    # A lock of the connection, not of a transaction: no transaction may be open during the calls to the provider.
    async with context.database.raw() as connection:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        try:
            return await _ensure(context, name, url, event_types, cipher)
        finally:
            await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK)


async def _ensure(context: FlowContext, name: str, url: str, event_types: Sequence[str], cipher: Fernet) -> str:
    async with context.database.read() as session:
        kept = await system_store.find(session, name)
    there = [endpoint for endpoint in await context.gateway.webhook_endpoints() if endpoint.url == url]
    if kept is not None and any(endpoint.id == kept.external_id for endpoint in there):
        try:
            return cipher.decrypt(kept.ciphertext).decode()
        except InvalidToken:
            pass  # SECRET_KEY was changed: the secret can't be read any more
    for endpoint in there:
        await context.gateway.delete_webhook_endpoint(endpoint.id)
    made = await context.gateway.create_webhook_endpoint(url, event_types)
    secret = made.secret or ""

    async def save(session: Session) -> None:
        await system_store.save(session, name, cipher.encrypt(secret.encode()), external_id=made.id)

    await transact(context.database, save, step="webhook.save")
    return secret
