"""The one strict reader of GraphQL requests, for HTTP and sockets alike.

Everything wrong with the shape of a request ends as `MalformedRequest`, never as an unhandled exception.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import parse_qsl

import orjson

from app.errors import BadUserInput, ProtocolError

JsonObject = dict[str, object]


class MalformedRequest(BadUserInput):
    """This is not a GraphQL request."""


class PersistedQueryNotSupported(ProtocolError):
    """PersistedQueryNotSupported"""  # clients look for exactly this text, and send the whole query then

    code = "PERSISTED_QUERY_NOT_SUPPORTED"


@dataclass(frozen=True, slots=True)
class GraphQLRequest:
    """A request whose members have the right types; the document is not parsed yet."""

    query: str
    operation_name: str | None = None
    variables: JsonObject = field(default_factory=dict[str, object])
    extensions: JsonObject = field(default_factory=dict[str, object])


def read_json(data: bytes | str, what: str) -> object:
    """Decode strictly: UTF-8, no NaN or Infinity, no number beyond a double, no lone surrogate, at most 1,024 levels."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        if not _is_utf8(data):
            raise MalformedRequest(f"The {what} is not valid UTF-8.") from None
        raise MalformedRequest(
            f"The {what} is not valid JSON: {error.msg} (line {error.lineno}, column {error.colno})."
        ) from None
    except RecursionError:
        raise MalformedRequest(f"The {what} is nested too deeply.") from None


def _is_utf8(data: bytes | str) -> bool:
    try:
        data.decode() if isinstance(data, bytes) else data.encode()
    except UnicodeError:
        return False
    return True


def read_object(data: bytes | str, what: str) -> JsonObject:
    """A JSON object, or MalformedRequest."""
    value = read_json(data, what)
    if isinstance(value, list) and what in ("body", "field operations"):
        raise MalformedRequest("Batches are not supported: send one operation per request.")
    if not isinstance(value, dict):
        raise MalformedRequest(f"The {what} must be a JSON object.")
    return cast("JsonObject", value)


def read_body(body: bytes) -> GraphQLRequest:
    """The body of a POST."""
    if not body:
        raise MalformedRequest("The body is empty: send a JSON object with a query.")
    return read_parameters(read_object(body, "body"))


def read_query_string(query_string: bytes) -> GraphQLRequest:
    """The parameters of a GET, where `variables` and `extensions` are JSON texts. Empty ones count as absent."""
    try:
        pairs = parse_qsl(query_string.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=20)
    except UnicodeDecodeError:
        raise MalformedRequest("The query string is not valid UTF-8.") from None
    except ValueError:
        raise MalformedRequest("The query string has too many parameters.") from None
    parameters = dict(pairs)
    members: JsonObject = {}
    for name in ("query", "operationName"):
        if name in parameters:
            members[name] = parameters[name] or None
    for name in ("variables", "extensions"):
        text = parameters.get(name)
        if text:
            members[name] = read_json(text, f"parameter {name}")
    return read_parameters(members)


def read_parameters(members: Mapping[str, object]) -> GraphQLRequest:
    """Check the type of each member; unknown members are ignored, as the specification asks.

    Raises MalformedRequest for a wrong shape, PersistedQueryNotSupported for the hash of a query without the query, and
    BadUserInput for a NUL, which no text in the database may hold.
    """
    query, extensions = members.get("query"), _member_object(members, "extensions")
    if not query and extensions.get("persistedQuery") is not None:
        raise PersistedQueryNotSupported
    if query is None:
        raise MalformedRequest("The query is missing.")
    if not isinstance(query, str):
        raise MalformedRequest("The query must be a string.")
    if not query.strip():
        raise MalformedRequest("The query is empty.")
    operation_name = members.get("operationName")
    if operation_name is not None and not isinstance(operation_name, str):
        raise MalformedRequest("operationName must be a string.")
    variables = _member_object(members, "variables")
    refuse_unstorable_text(variables)
    return GraphQLRequest(query, operation_name or None, variables, extensions)


def _member_object(members: Mapping[str, object], name: str) -> JsonObject:
    value = members.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise MalformedRequest(f"{name} must be an object.")
    return cast("JsonObject", value)


def refuse_unstorable_text(value: object) -> None:
    """Raise BadUserInput if a string anywhere inside holds a NUL, which PostgreSQL can't store (surrogates never get here)."""
    pending: list[object] = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            if "\0" in item:
                raise BadUserInput("Text must not contain the character NUL (U+0000).")
        elif isinstance(item, dict):
            pending.extend(cast("JsonObject", item))
            pending.extend(cast("JsonObject", item).values())
        elif isinstance(item, list):
            pending.extend(cast("list[object]", item))
