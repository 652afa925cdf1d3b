"""Changes in which a field that isn't mentioned stays as it is."""

from __future__ import annotations

from enum import Enum
from typing import Final, Literal, TypeAlias, TypeVar

T = TypeVar("T")


class Kept(Enum):
    """The type of `KEPT`, which stands for a field that isn't mentioned."""

    KEPT = "KEPT"


KEPT: Final = Kept.KEPT

Change: TypeAlias = T | Literal[Kept.KEPT]
"""A new value, or `KEPT`; where nothing is a value too, None is nothing."""
