"""From exceptions to the `errors` of an answer: each with a code, nothing of our insides in any of them."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import structlog
from graphql import GraphQLError
from graphql.language import ArgumentNode, Node, ValueNode

from app.errors import DomainError, ProtocolError

SHOWN_CHARACTERS = 500
"""graphql-core quotes what it was given, however long that is; more than this is cut off."""

Classify = Callable[[BaseException], ProtocolError | None]
ErrorObject = dict[str, object]

_log: structlog.stdlib.BoundLogger = structlog.get_logger("counterfoil.graphql")


class ParseFailed(ProtocolError):
    """The document is not GraphQL."""

    code = "GRAPHQL_PARSE_FAILED"


class ValidationFailed(ProtocolError):
    """The document does not fit the schema."""

    code = "GRAPHQL_VALIDATION_FAILED"


class RequestRefused(Exception):
    """Errors that ended a request before anything was executed: an answer without `data`."""

    def __init__(self, errors: Iterable[GraphQLError]) -> None:
        self.errors = list(errors)
        super().__init__("; ".join(error.message for error in self.errors))


def refused(errors: Iterable[GraphQLError], kind: type[ProtocolError]) -> RequestRefused:
    """Errors that graphql-core found before it executed anything, their places kept, under the code of `kind`."""
    return RequestRefused(
        GraphQLError(
            error.message, error.nodes, error.source, error.positions, original_error=kind(shown(error.message))
        )
        for error in errors
    )


def shown(message: str) -> str:
    """The message, cut to a length that a person can read."""
    return message if len(message) <= SHOWN_CHARACTERS else f"{message[:SHOWN_CHARACTERS]}…"


def nothing_classified(_error: BaseException) -> ProtocolError | None:
    """The default for `classify`: no exception is known."""
    return None


@dataclass(frozen=True, slots=True)
class ErrorFormatter:
    """Turns exceptions into error objects; what nobody expected is masked and logged once.

    `classify` names the exceptions of drivers, for example a lost connection as Unavailable. `reveal` also logs the message of
    an unexpected exception, which may hold personal data: for development.
    """

    classify: Classify = nothing_classified
    reveal: bool = False

    def format_all(self, errors: Iterable[GraphQLError], request_id: str) -> list[ErrorObject]:
        """One object for each error; an exception that failed several fields is logged once."""
        logged: set[int] = set()
        return [self._format(error, request_id, logged) for error in errors]

    def format(self, error: BaseException, request_id: str) -> ErrorObject:
        """The object for an exception raised outside of any field."""
        wrapped = error if isinstance(error, GraphQLError) else GraphQLError("", original_error=_as_exception(error))
        return self._format(wrapped, request_id, set())

    def _format(self, error: GraphQLError, request_id: str, logged: set[int]) -> ErrorObject:
        cause = _innermost(error)
        message, extensions = self._judge(error, cause)
        if extensions is None:
            message, extensions = "Something went wrong on our side.", {"code": "INTERNAL", "requestId": request_id}
            if id(cause) not in logged:
                logged.add(id(cause))
                self._log(error, cause, request_id)
        formatted: ErrorObject = {"message": message}
        if error.locations:
            formatted["locations"] = [{"line": place.line, "column": place.column} for place in error.locations]
        if error.path is not None:
            formatted["path"] = error.path
        formatted["extensions"] = extensions
        return formatted

    def _judge(self, error: GraphQLError, cause: BaseException) -> tuple[str, dict[str, object] | None]:
        if isinstance(cause, DomainError):
            return cause.message, {"code": "BAD_USER_INPUT", "reason": str(cause.code)}
        if isinstance(cause, ProtocolError):
            return cause.message, dict(cause.extensions)
        known = self.classify(cause)
        if known is not None:
            return known.message, dict(known.extensions)
        if _is_about_input(error):
            return shown(error.message), {"code": "BAD_USER_INPUT"}
        return "", None

    def _log(self, error: GraphQLError, cause: BaseException, request_id: str) -> None:
        frames = traceback.extract_tb(cause.__traceback__)
        _log.error(
            "graphql.unexpected_error",
            request_id=request_id,
            path=".".join(map(str, error.path or ())),
            error=type(cause).__qualname__,
            message=str(cause) if self.reveal else None,
            frames=[f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
        )


def _as_exception(error: BaseException) -> Exception:
    return error if isinstance(error, Exception) else RuntimeError(type(error).__qualname__)


def _innermost(error: GraphQLError) -> BaseException:
    cause: BaseException = error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    return cause


def _is_about_input(error: GraphQLError) -> bool:
    """Was it an argument of the caller's? Then the error stands at a value or an argument of the document.

    graphql-core uses the same class for what a resolver returned wrongly; that stands at a field and must not be shown.
    """
    cause: GraphQLError = error
    while isinstance(cause.original_error, GraphQLError):
        cause = cause.original_error
    nodes: list[Node] = cause.nodes or []
    return bool(nodes) and all(isinstance(node, ValueNode | ArgumentNode) for node in nodes)
