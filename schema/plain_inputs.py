"""Input objects made in one go, where a call may send a thousand of them.

The library takes each value of each input apart anew to find out what to do with it. For inputs of nothing but scalars, enums, and
lists and inputs of these, that is the same for all of them, and is found out once.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING
from typing import Any, Final, TypeAlias, TypeVar

from strawberry.types.arguments import InputContext
from strawberry.types.base import (
    StrawberryList,
    StrawberryMaybe,
    StrawberryObjectDefinition,
    StrawberryOptional,
    has_object_definition,
)
from strawberry.types.enum import StrawberryEnumDefinition

T = TypeVar("T")

_BUILT_IN: Final = (str, int, bool)

Make: TypeAlias = Callable[[Any], Any]
"""Makes what resolvers get of a value that is not null."""


def plain_input(kind: type[T]) -> type[T]:
    """Have the objects of an input type made in one go; to stand above `strawberry.input`.

    The first one raises `TypeError` where the type has a field of another kind.
    """
    plans: list[Make] = []

    def make(_kind: type, value: Mapping[str, Any], context: InputContext) -> Any:
        if not plans:
            plans.append(_object(kind, context))
        return plans[0](value)

    _definition(kind).from_input = make
    return kind


def _definition(kind: Any) -> StrawberryObjectDefinition:
    return kind.__strawberry_definition__


def _object(kind: type, context: InputContext) -> Make:
    definition = _definition(kind)
    names: list[tuple[str, str]] = []
    makers: list[tuple[str, str, Make]] = []
    for field in definition.fields:
        name = context.config.name_converter.from_field(field)
        make = _maker(field.resolve_type(type_definition=definition), context)
        if make is None:
            names.append((name, field.python_name))
        else:
            makers.append((name, field.python_name, make))

    # one that may be null and has no default of its own is null where it is left out
    nothing: dict[str, Any] = {
        field.python_name: None
        for field in definition.fields
        if field.default_value is MISSING and field.default_factory is MISSING
    }

    def made(value: Mapping[str, Any]) -> Any:
        given = nothing.copy()
        for name, python_name in names:
            if name in value:
                given[python_name] = value[name]
        for name, python_name, make in makers:
            if name in value:
                each = value[name]
                given[python_name] = make(each) if each is not None else None
        return kind(**given)

    return made


def _maker(of_type: Any, context: InputContext) -> Make | None:
    """What makes a value of a type; None where it stays as it is."""
    if isinstance(of_type, StrawberryOptional) and not isinstance(of_type, StrawberryMaybe):
        return _maker(of_type.of_type, context)
    if isinstance(of_type, StrawberryList):
        item = _maker(of_type.of_type, context)
        return list if item is None else _list(item)
    if has_object_definition(of_type) and _definition(of_type).is_input:
        return _object(of_type, context)
    if isinstance(of_type, StrawberryEnumDefinition) or of_type in context.scalar_registry or of_type in _BUILT_IN:
        return None
    raise TypeError(f"{of_type} is nothing that a plain input may have")


def _list(item: Make) -> Make:
    def made(values: Iterable[Any]) -> list[Any]:
        return [item(value) if value is not None else None for value in values]

    return made
