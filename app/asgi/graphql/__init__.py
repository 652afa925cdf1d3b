"""The GraphQL endpoint: HTTP, event streams and WebSockets over one schema, with the explorer for browsers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from graphql import GraphQLSchema
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp

from app.asgi.graphql.document_limits import DocumentLimits
from app.asgi.graphql.documents import DocumentCache
from app.asgi.graphql.error_formatter import Classify, ErrorFormatter, nothing_classified
from app.asgi.graphql.execution import Engine
from app.asgi.graphql.explorer import Explorer, ExplorerAssets
from app.asgi.graphql.graphql_settings import GraphQLSettings
from app.asgi.graphql.http import GraphQLHttp
from app.asgi.graphql.shared_results import SharedResults
from app.asgi.graphql.transport_context import ContextFactory, OperationContext, RequestInfo, SetCookie
from app.asgi.graphql.uploads import UploadSlots
from app.asgi.graphql.websocket import GraphQLWebSocket

__all__ = [
    "ContextFactory",
    "DocumentLimits",
    "GraphQLEndpoint",
    "GraphQLSettings",
    "OperationContext",
    "RequestInfo",
    "SetCookie",
    "graphql_endpoint",
]


@dataclass(frozen=True, slots=True)
class GraphQLEndpoint:
    """The parts of an application that serve the endpoint: routes for requests, and the application for sockets at `path`."""

    path: str
    routes: Sequence[BaseRoute]
    sockets: ASGIApp


def graphql_endpoint(
    schema: GraphQLSchema,
    context: ContextFactory,
    settings: GraphQLSettings,
    *,
    classify: Classify = nothing_classified,
    ending: asyncio.Event | None = None,
) -> GraphQLEndpoint:
    """The endpoint, and the explorer's assets with it.

    `classify` names exceptions of drivers, such as a lost database connection. Setting `ending` closes sockets with 1012 and ends
    event streams, which would otherwise keep a server from stopping.
    """
    ending = ending or asyncio.Event()
    documents = DocumentCache(
        schema,
        settings.limits,
        entries=settings.document_cache_entries,
        characters=settings.document_cache_characters,
    )
    errors = ErrorFormatter(classify, reveal=not settings.production)
    engine = Engine(schema, context, settings, documents, errors, SharedResults())
    routes: list[BaseRoute] = [
        Route(settings.path, GraphQLHttp(engine, Explorer(settings), ending, UploadSlots(settings))),
    ]
    if settings.explorer_assets is not None:
        routes.append(Mount(settings.assets_path, ExplorerAssets(settings.explorer_assets)))
    return GraphQLEndpoint(settings.path, routes, GraphQLWebSocket(engine, ending))
