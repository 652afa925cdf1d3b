"""`UNCHANGED`: the value of a field that a partial change leaves as it is, told apart from None, which clears a field."""

from __future__ import annotations

from enum import Enum
from typing import Final, Literal, TypeAlias, TypeVar

T = TypeVar("T")


class Unchanged(Enum):
    """The type of `UNCHANGED`."""

    UNCHANGED = "UNCHANGED"


UNCHANGED: Final = Unchanged.UNCHANGED

OrUnchanged: TypeAlias = T | Literal[Unchanged.UNCHANGED]
"""A new value of a field, or `UNCHANGED`; a field that may be empty is cleared by None."""
