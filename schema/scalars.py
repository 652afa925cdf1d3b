"""The scalars: exact, and strict about what they take."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, BinaryIO, NewType

import strawberry
from graphql import GraphQLError, StringValueNode, ValueNode
from starlette.datastructures import UploadFile
from strawberry.types.scalar import ScalarDefinition

_SPECIFIED_AT = "scalars#"
"""Relative to the address of the endpoint, since a schema knows neither its host nor the path that a proxy may serve it under."""

BigInt = NewType("BigInt", int)
Upload = NewType("Upload", BinaryIO)

MOST_DIGITS = 38
_PLAIN_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)
_PLAIN_INTEGER = re.compile(r"-?[0-9]{1,19}", re.ASCII)
_DATE_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?([Zz]|[+-][0-9]{2}:[0-9]{2})", re.ASCII
)
BIGINT_MIN, BIGINT_MAX = -(2**63), 2**63 - 1


def parse_decimal(value: object) -> Decimal:
    """A `Decimal` of the API: a string in plain notation with at most `MOST_DIGITS` digits.

    Raises `GraphQLError` for anything else: JSON numbers (which lose digits), exponents, NaN, infinities, spaces.
    """
    if not isinstance(value, str) or not _PLAIN_DECIMAL.fullmatch(value):
        raise GraphQLError('Decimal must be a string in plain notation, such as "12.50".')
    if sum(character.isdigit() for character in value) > MOST_DIGITS:
        raise GraphQLError(f"Decimal may have at most {MOST_DIGITS} digits.")
    return Decimal(value)


def serialize_decimal(value: Decimal) -> str:
    """A `Decimal` in plain notation with the digits it has: a currency's or a unit's number of them."""
    return format(value, "f")


def parse_big_int(value: object) -> int:
    """A `BigInt` of the API: a string of a whole number of up to 64 bits; raises `GraphQLError` for anything else."""
    if not isinstance(value, str) or not _PLAIN_INTEGER.fullmatch(value) or not BIGINT_MIN <= int(value) <= BIGINT_MAX:
        raise GraphQLError('BigInt must be a string of a whole number of up to 64 bits, such as "42".')
    return int(value)


def parse_date_time(value: object) -> datetime:
    """A `DateTime` of the API: ISO 8601 with an offset; raises `GraphQLError` for anything else."""
    if isinstance(value, str) and _DATE_TIME.fullmatch(value):
        try:
            return datetime.fromisoformat(value.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise GraphQLError("DateTime must be ISO 8601 with an offset, such as 2026-11-21T09:30:00Z.")


def serialize_date_time(value: datetime) -> str:
    """A `DateTime` in UTC with `Z`, to the microsecond where it has any."""
    in_utc = value if value.tzinfo is UTC else value.astimezone(UTC)
    return f"{in_utc.isoformat().removesuffix('+00:00')}Z"


def parse_upload(value: object) -> BinaryIO:
    """An `Upload` of the API: what the endpoint put in the place of a file, which no JSON can bring about.

    Raises `GraphQLError` for anything else.
    """
    if not isinstance(value, UploadFile):
        raise GraphQLError("Upload must be a file of a multipart request.")
    return value.file


def serialize_upload(_value: object) -> str:
    """Nothing answers a file: raises `GraphQLError`."""
    raise GraphQLError("Upload is for input only.")


def _string_literal(node: ValueNode, _variables: dict[str, Any] | None = None) -> object:
    return node.value if isinstance(node, StringValueNode) else None


SCALARS: dict[object, ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="ISO 8601 date and time, e.g. 2026-11-21T09:30:00Z. Input needs an offset; output is UTC.",
        specified_by_url=f"{_SPECIFIED_AT}DateTime",
        serialize=serialize_date_time,
        parse_value=parse_date_time,
        parse_literal=lambda node, variables=None: parse_date_time(_string_literal(node, variables)),
    ),
    Decimal: strawberry.scalar(
        name="Decimal",
        description=(
            'Exact decimal number carried as a string in plain notation, e.g. "12.50": finite, '
            f"at most {MOST_DIGITS} digits. JSON numbers, "
            "exponents, NaN and the like are refused. Output has the fixed number of decimals of its currency or unit."
        ),
        specified_by_url=f"{_SPECIFIED_AT}Decimal",
        serialize=serialize_decimal,
        parse_value=parse_decimal,
        parse_literal=lambda node, variables=None: parse_decimal(_string_literal(node, variables)),
    ),
    BigInt: strawberry.scalar(
        name="BigInt",
        description="Whole number of up to 64 bits carried as a string, since JSON numbers lose digits past 53 bits.",
        specified_by_url=f"{_SPECIFIED_AT}BigInt",
        serialize=str,
        parse_value=parse_big_int,
        parse_literal=lambda node, variables=None: parse_big_int(_string_literal(node, variables)),
    ),
    Upload: strawberry.scalar(
        name="Upload",
        description="A multipart-uploaded file (GraphQL multipart request specification).",
        specified_by_url="https://github.com/jaydenseric/graphql-multipart-request-spec",
        serialize=serialize_upload,
        parse_value=parse_upload,
        parse_literal=lambda node, variables=None: parse_upload(node),
    ),
}
