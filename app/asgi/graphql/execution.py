"""Runs one operation: a context of its own, the document from the cache, the limits, the time limit, the encoded result."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import orjson
from graphql import ExecutionResult, GraphQLError, GraphQLSchema, execution
from graphql.execution import Executor
from graphql.language import OperationDefinitionNode, OperationType
from strawberry.execution import optimized_is_awaitable

from app.asgi.graphql.documents import DocumentCache
from app.asgi.graphql.error_formatter import ErrorFormatter, RequestRefused, refused
from app.asgi.graphql.graphql_settings import GraphQLSettings
from app.asgi.graphql.plain_fields import PlainFieldsExecutor, Shape
from app.asgi.graphql.request_parser import GraphQLRequest
from app.asgi.graphql.shared_results import SharedResults
from app.asgi.graphql.transport_context import ContextFactory, OperationContext, RequestInfo
from app.errors import BadUserInput, OperationTimeout, ProtocolError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Engine:
    """Everything that operations share. One for each application."""

    schema: GraphQLSchema
    contexts: ContextFactory
    settings: GraphQLSettings
    documents: DocumentCache
    errors: ErrorFormatter
    shared: SharedResults

    @asynccontextmanager
    async def operation(self, request: GraphQLRequest, info: RequestInfo) -> AsyncGenerator[Operation]:
        """An operation, ready to run; its context is closed at the end.

        Raises RequestRefused or ProtocolError for what is wrong with the document, its variables or the credentials.
        """
        async with self.context(info) as context:
            yield self._prepare(request, info, context)

    @asynccontextmanager
    async def context(self, info: RequestInfo) -> AsyncGenerator[OperationContext]:
        """A fresh context, closed at the end."""
        context = await self.contexts(info)
        try:
            yield context
        finally:
            close: Callable[[], Awaitable[None]] | None = getattr(context, "aclose", None)
            if close is not None:
                await close()

    def _prepare(self, request: GraphQLRequest, info: RequestInfo, context: OperationContext) -> Operation:
        reveal = not self.settings.production or context.is_authenticated
        document = self.documents.prepare(request.query, reveal_schema=reveal)
        definition = document.operation(request.operation_name)
        self.documents.check_cost(document, definition, request.variables)
        plain = document.plain_variables.get(definition.name.value if definition.name else None)
        values = plain.values(request.variables) if plain is not None else None
        executor = cast("type[Any]", PlainFieldsExecutor).build(
            self.schema,
            plain.document if plain is not None and values is not None else document.ast,
            context_value=context,
            raw_variable_values=request.variables if values is None else {},
            operation_name=request.operation_name,
            is_awaitable=cast("Any", optimized_is_awaitable),
            hide_suggestions=not reveal,
        )
        if isinstance(executor, list):
            raise refused(cast("list[GraphQLError]", executor), BadUserInput)
        if values is not None:
            executor.take_variables(definition, values)
        executor.take_shape(document.shape if document.shape is not None else Shape())
        return Operation(self, request, info, context, definition, executor)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of one caller."""

    engine: Engine
    request: GraphQLRequest
    info: RequestInfo
    context: OperationContext
    definition: OperationDefinitionNode
    executor: Executor[Any]

    @property
    def kind(self) -> OperationType:
        return self.definition.operation

    async def result(self) -> bytes:
        """Run a query or mutation to its end; the encoded answer. Raises OperationTimeout."""
        return self._encode(await self._in_time(execution.execute_root_selection_set(self.executor)))

    async def results(self) -> AsyncGenerator[str]:
        """The encoded results of any operation: the next event is asked for only when this one was taken.

        Raises RequestRefused if a subscription can't start or its source fails, and OperationTimeout.
        """
        if self.kind is not OperationType.SUBSCRIPTION:
            yield (await self.result()).decode()
            return
        source = await self._in_time(execution.create_source_event_stream(self.executor))
        if isinstance(source, ExecutionResult):
            raise RequestRefused(source.errors or [])
        share_key = self._share_key()
        events = aiter(source)
        try:
            async for event in events:
                known = self.engine.shared.known(event, share_key) if share_key is not None else None
                yield known if known is not None else await self._event_result(event, share_key)
        except ProtocolError:
            raise
        except Exception as error:
            raise RequestRefused([GraphQLError("", original_error=error)]) from error
        finally:
            if isinstance(events, AsyncGenerator):
                await events.aclose()

    async def _event_result(self, event: object, share_key: Hashable | None) -> str:
        if share_key is None:
            return (await self._execute_event(event))[0]
        return await self.engine.shared.encoded(event, share_key, lambda: self._execute_event(event))

    async def _execute_event(self, event: object) -> tuple[str, bool]:
        executor = cast("Executor[Any]", cast("Any", self.executor).build_per_event_executor(event))
        renew: Callable[[], OperationContext] | None = getattr(self.context, "for_event", None)
        if renew is not None:
            executor.context_value = renew()
        result = await self._in_time(execution.execute_subscription_event(executor))
        return self._encode(result).decode(), not result.errors

    def _share_key(self) -> Hashable | None:
        """What must be equal for two subscribers to get the same text for one event."""
        if self.context.share_key is None:
            return None
        # as text, because the bytes keep the kilobytes that they were written into
        variables = orjson.dumps(self.request.variables, option=orjson.OPT_SORT_KEYS).decode()
        return (self.request.query, self.request.operation_name, variables, self.context.share_key)

    async def _in_time(self, value: T | Awaitable[T]) -> T:
        if not isinstance(value, Awaitable):
            return value
        deadline = asyncio.timeout(self.engine.settings.operation_seconds)
        try:
            async with deadline:
                return await cast("Awaitable[T]", value)
        except TimeoutError:
            if deadline.expired():
                raise OperationTimeout from None
            raise

    def _encode(self, result: ExecutionResult) -> bytes:
        answer: dict[str, object] = {}
        if result.errors:
            answer["errors"] = self.engine.errors.format_all(result.errors, self.info.request_id)
        answer["data"] = result.data
        try:
            return orjson.dumps(answer)
        except TypeError as error:
            return orjson.dumps({"errors": [self.engine.errors.format(error, self.info.request_id)], "data": None})
