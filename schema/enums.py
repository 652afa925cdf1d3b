"""Domain enums as enums of the API, with a description of every value."""

from collections.abc import Mapping
from enum import Enum
from typing import TypeVar

import strawberry
from strawberry.types.enum import StrawberryEnumDefinition

E = TypeVar("E", bound=Enum)


def described(enum: type[E], description: str, values: Mapping[E, str], *, name: str | None = None) -> None:
    """Make `enum` part of the API, under its own name or `name`; raises `ValueError` when a value lacks its description."""
    missing = [member.name for member in enum if member not in values]
    if missing:
        raise ValueError(f"{enum.__name__} lacks descriptions of {', '.join(missing)}")
    strawberry.enum(enum, name=name, description=description)
    definition: StrawberryEnumDefinition = enum.__strawberry_definition__  # pyright: ignore[reportAttributeAccessIssue,reportUnknownVariableType]
    by_name = {member.name: text for member, text in values.items()}
    for value in definition.values:  # pyright: ignore[reportUnknownVariableType,reportUnknownMemberType]
        value.description = by_name[value.name]  # pyright: ignore[reportUnknownMemberType]
