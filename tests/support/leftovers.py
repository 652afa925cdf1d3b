"""What is left of somebody anywhere in a database."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlalchemy import text

from app.db.engine import Database

_TABLES = text(
    """
    SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
    WHERE schemaname NOT IN ('pg_catalog', 'information_schema', 'stripe_sandbox') ORDER BY 1
    """
)


async def rows_naming(database: Database, words: Sequence[str]) -> list[str]:
    """The tables that have one of the words anywhere in a row, whatever its case, with the row; Stripe's stand-in aside.

    Jobs and other bytes are searched too. Four digits count as a word by themselves only: hashes and ids are full of digits.
    """
    patterns = [
        re.compile(
            rf"(?<![0-9a-z]){word}(?![0-9a-z])" if len(word) == 4 else rf"{re.escape(word)}|{word.encode().hex()}", re.I
        )
        for word in words
    ]
    found: list[str] = []
    async with database.read() as session:
        for table in (await session.scalars(_TABLES)).all():
            rows = (await session.scalars(text(f"SELECT row::text FROM {table} AS row"))).all()
            found += [f"{table}: {row}" for row in rows for pattern in patterns if pattern.search(row)]
    return found
