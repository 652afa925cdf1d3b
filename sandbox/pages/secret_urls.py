"""Pages that can be opened by whoever knows their URL, because a secret is part of it."""

from __future__ import annotations

import secrets

from starlette.requests import Request

from sandbox.errors import resource_missing
from sandbox.objects import Json
from sandbox.store import Transaction


async def get_by_secret(tx: Transaction, request: Request, kind: str, secret_field: str) -> Json:
    """Return the object that the URL names. Raises resource_missing unless the URL has the object's secret."""
    body = await tx.get(kind, request.path_params["id"])
    secret = body.get(secret_field) or ""
    if not secret or not secrets.compare_digest(secret.encode(), request.path_params["secret"].encode()):
        raise resource_missing(kind, body["id"])
    return body
