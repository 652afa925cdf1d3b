"""What may be set about the endpoint. Every number here is a limit that a test reaches."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

from app.asgi.graphql.document_limits import DocumentLimits

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class GraphQLSettings:
    """Settings of the GraphQL endpoint; times in seconds, sizes in bytes."""

    production: bool = False
    """Hides introspection, suggestions and the explorer from anonymous callers."""
    explorer_for_anonymous: bool = False
    """Serves the explorer's page in production too; introspection still needs credentials there."""
    explorer_assets: Path | None = None
    """The folder with the explorer's bundle; absent or missing, the page offers a plain form."""

    path: str = "/graphql"
    assets_path: str = "/graphiql"

    session_cookie: str = "counterfoil_session"
    secure_cookies: bool = False
    allowed_origins: frozenset[str] = frozenset()
    """Origins such as `https://app.example.com` that may call with the session cookie, beside our own."""
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    """Whose `X-Forwarded-For` is believed."""

    limits: DocumentLimits = field(default_factory=DocumentLimits)
    body_bytes: int = MEBIBYTE
    body_seconds: float = 30.0
    """How long a client may take to send its request."""
    upload_bytes: int = 32 * MEBIBYTE
    """A multipart body with its files: a bit more than the largest file that a mutation takes."""
    upload_seconds: float = 120.0
    """How long a client may take to send one; only those with credentials may send any."""
    upload_files: int = 4
    uploads_at_once: int = 32
    """In this process; each may lie on disk while its operation lasts."""
    uploads_at_once_each: int = 4
    """With the same credentials."""
    operation_seconds: float = 60.0
    """How long a query or mutation, the start of a subscription, or one of its events may take."""

    document_cache_entries: int = 1_000
    document_cache_characters: int = 1_000_000
    """Text of all cached documents together; a parsed document takes about a hundred times its text."""

    socket_message_bytes: int = MEBIBYTE
    socket_operations: int = 100
    """Operations that one connection may run at once."""
    socket_init_seconds: float = 10.0

    stream_keep_alive_seconds: float = 12.0
    """How often a silent event stream sends a comment, so that proxies leave it open."""
