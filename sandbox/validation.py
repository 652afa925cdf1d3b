"""Checks and converts parameters by the SDK's own parameter types (`stripe.params`).

The annotations of these types are read for every call: unknown parameters, missing ones, wrong enums and wrong types are
refused with Stripe's messages; valid ones are converted (to int, bool, Decimal, lists, nested dictionaries).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from functools import cache
from types import UnionType
from typing import Any, Literal, NotRequired, Union, cast, get_args, get_origin, get_type_hints

import stripe
from stripe import params
from stripe._stripe_object import UntypedStripeObject  # pyright: ignore[reportPrivateUsage]
from typing_extensions import is_typeddict

from sandbox.errors import StripeError, invalid_request, missing_param

MAX_STRING_LENGTH = 5000
MAX_DECIMAL_LENGTH = 40

_INTEGER = re.compile(r"-?\d{1,18}")
# An empty text unsets these too, as Stripe's people say (stripe/stripe-node#1834), though the SDK's types don't.
_UNSET_BY_AN_EMPTY_TEXT: dict[type, frozenset[str]] = {
    params.CustomerUpdateParams: frozenset({"description", "email", "name", "phone"})
}
_SDK_OPTIONS = frozenset(stripe.RequestOptions.__annotations__)


@cache
def fields_of(params_type: type) -> dict[str, tuple[Any, bool]]:
    """Return each parameter of a TypedDict of the SDK with its type and whether it is required.

    The SDK's request options, which every parameter type inherits, are no parameters of the API.
    """

    def annotated() -> None: ...

    annotated.__annotations__ = {
        name: annotation for name, annotation in params_type.__annotations__.items() if name not in _SDK_OPTIONS
    }
    names = vars(sys.modules[params_type.__module__])
    hints = get_type_hints(annotated, globalns=names, include_extras=True)
    fields: dict[str, tuple[Any, bool]] = {}
    for name, hint in hints.items():
        optional = get_origin(hint) is NotRequired
        fields[name] = (get_args(hint)[0] if optional else hint, not optional)
    return fields


def validate(params_type: type, given: dict[str, Any]) -> dict[str, Any]:
    """Return `given` converted to `params_type`. Raises StripeError at the first parameter that does not fit."""
    return _typed_dict(params_type, given, "")


def check_supported(given: dict[str, Any], supported: frozenset[str], path: str = "") -> None:
    """Refuse parameters that Stripe knows and the sandbox does not act upon, so that nothing is ignored silently.

    `supported` holds dotted names; a name covers everything beneath it.
    """
    for name, value in given.items():
        dotted = f"{path}.{name}" if path else name
        if dotted in supported:
            continue
        deeper = any(known.startswith(f"{dotted}.") for known in supported)
        if deeper and isinstance(value, dict):
            check_supported(cast("dict[str, Any]", value), supported, dotted)
        elif deeper and isinstance(value, list):
            for entry in cast("list[Any]", value):
                check_supported(entry, supported, dotted)
        elif not (deeper and value == ""):
            raise invalid_request(f"The sandbox does not implement the parameter: {dotted}", param=dotted)


def _typed_dict(params_type: type, given: Any, path: str) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise invalid_request(f"Invalid object: {given}", param=path)
    fields = fields_of(params_type)
    values: dict[str, Any] = {}
    for name, raw in cast("dict[str, Any]", given).items():
        inner = f"{path}[{name}]" if path else name
        if name not in fields:
            raise invalid_request(f"Received unknown parameter: {inner}", code="parameter_unknown", param=inner)
        unsets = raw == "" and name in _UNSET_BY_AN_EMPTY_TEXT.get(params_type, ())
        values[name] = "" if unsets else _convert(fields[name][0], raw, inner)
    for name, (_, required) in fields.items():
        if required and name not in values:
            inner = f"{path}[{name}]" if path else name
            raise missing_param(inner)
    return values


def _convert(expected: Any, raw: Any, path: str) -> Any:
    origin = get_origin(expected)
    if origin in (Union, UnionType):
        return _union(get_args(expected), raw, path)
    if origin is Literal:
        return _literal(get_args(expected), raw, path)
    if origin is list:
        return _list(get_args(expected)[0], raw, path)
    if origin is dict:
        return _mapping(get_args(expected)[1], raw, path)
    if is_typeddict(expected):
        return _typed_dict(expected, raw, path)
    scalar = _SCALARS.get(expected)
    if scalar is None:
        raise TypeError(f"no rule for the parameter type {expected!r} of {path}")
    if not isinstance(raw, str):
        raise invalid_request(f"Invalid {_NOUNS[expected]}: {raw}", param=path)
    if raw == "":
        raise invalid_request(
            f"You passed an empty string for '{path}'. We assume empty values are an attempt to unset a parameter; "
            f"however '{path}' cannot be unset. You should remove '{path}' from your request or supply a non-empty value.",
            code="parameter_invalid_empty",
            param=path,
        )
    return scalar(raw, path)


def _union(choices: tuple[Any, ...], raw: Any, path: str) -> Any:
    """Convert by the first alternative that the value fits.

    The SDK writes an enum as `Literal[...] | str`, to allow values of later versions. The API accepts no others, so the
    `str` beside a Literal is ignored. A Literal of only '' means that the parameter can be unset.
    """
    if raw == "" and any("" in get_args(choice) for choice in choices if get_origin(choice) is Literal):
        return ""
    rest = [c for c in choices if get_origin(c) is not UntypedStripeObject and get_args(c) != ("",)]
    enums = [c for c in rest if get_origin(c) is Literal]
    if enums and str in rest:
        rest.remove(str)
    structured = [c for c in rest if is_typeddict(c) or get_origin(c) in (list, dict)]
    fitting = structured if isinstance(raw, dict) and structured else [c for c in rest if c not in structured] or rest
    for choice in fitting[:-1]:
        # the next alternative may fit; the error of the last one is the answer
        with suppress(StripeError):
            return _convert(choice, raw, path)
    return _convert(fitting[-1], raw, path)


def _literal(choices: tuple[Any, ...], raw: Any, path: str) -> Any:
    if raw in choices:
        return raw
    listed = [str(choice) for choice in choices]
    wanted = listed[0] if len(listed) == 1 else f"one of {', '.join(listed[:-1])}, or {listed[-1]}"
    raise invalid_request(f"Invalid {path}: must be {wanted}", param=path)


def _list(item: Any, raw: Any, path: str) -> list[Any]:
    entries = cast("dict[str, Any]", raw) if isinstance(raw, dict) else {}
    if not isinstance(raw, dict) or not all(key.isdecimal() for key in entries):
        raise invalid_request(f"Invalid array: {raw}", param=path)
    return [_convert(item, entries[key], f"{path}[{key}]") for key in sorted(entries, key=int)]


def _mapping(item: Any, raw: Any, path: str) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise invalid_request(f"Invalid hash: {raw}", param=path)
    entries = cast("dict[str, Any]", raw)
    # an empty value unsets its key, as in metadata
    return {key: "" if value == "" else _convert(item, value, f"{path}[{key}]") for key, value in entries.items()}


def _boolean(raw: str, path: str) -> bool:
    if raw not in ("true", "false"):
        raise invalid_request(f"Invalid boolean: {raw}", param=path)
    return raw == "true"


def _integer(raw: str, path: str) -> int:
    if _INTEGER.fullmatch(raw) is None:
        raise invalid_request(f"Invalid integer: {raw}", code="parameter_invalid_integer", param=path)
    return int(raw)


def _decimal(raw: str, path: str) -> Decimal:
    try:
        number = Decimal(raw)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or len(raw) > MAX_DECIMAL_LENGTH:
        raise invalid_request(f"Invalid decimal: {raw}", param=path)
    return number


def _string(raw: str, path: str) -> str:
    if len(raw) > MAX_STRING_LENGTH:
        raise invalid_request(f"Invalid string: must be at most {MAX_STRING_LENGTH} characters: {path}", param=path)
    return raw


_SCALARS: dict[Any, Callable[[str, str], Any]] = {
    bool: _boolean,
    int: _integer,
    float: _decimal,  # percentages: the SDK says float, the arithmetic here is exact
    Decimal: _decimal,
    str: _string,
}
_NOUNS: dict[Any, str] = {bool: "boolean", int: "integer", float: "decimal", Decimal: "decimal", str: "string"}
