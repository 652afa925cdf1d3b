"""What every table shares: one metadata with named constraints, and the types of columns."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar, TypeAlias
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, MetaData, Text, Uuid
from sqlalchemy.orm import DeclarativeBase, mapped_column

PrimaryId = Annotated[UUID, mapped_column(Uuid, primary_key=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """The rows go with whom they belong to; each column named here holds what they are found by.

    `person` a user's id, `workspace` a workspace's id, `address` an e-mail address in lower case.
    """

    person: str | None = None
    workspace: str | None = None
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """The rows stay, since nothing in them tells who it was: ids, amounts, times. `reason` says what they are still needed for."""

    reason: str


@dataclass(frozen=True, slots=True)
class Hashed:
    """The rows stay as keyed hashes, which tell nothing without the key; `reason` says what they guard, and how long."""

    reason: str


Erasure: TypeAlias = Erased | Kept | Hashed
"""What becomes of a table's rows when a person or a workspace is deleted."""


class Base(DeclarativeBase):
    """A row. Columns are plain values: relations are read by statements in `app.store`, never by touching an attribute.

    Every table declares its `erasure`, which is what the deletion of an account or a workspace carries out.
    """

    erasure: ClassVar[Erasure]

    metadata = MetaData(
        naming_convention={
            "pk": "%(table_name)s_pkey",
            "uq": "%(table_name)s_%(column_0_N_name)s_key",
            "ix": "%(table_name)s_%(column_0_N_name)s_idx",
            "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
            "ck": "%(table_name)s_%(constraint_name)s_check",
        }
    )
    type_annotation_map: ClassVar = {  # pyright: ignore[reportIncompatibleVariableOverride]
        datetime: DateTime(timezone=True),
        UUID: Uuid,
        str: Text,
        int: BigInteger,
    }
