"""What becomes of personal data when an account is deleted is declared with each table, so that no later table is forgotten."""

from __future__ import annotations

import re

import pytest

from app.db.tables import Base
from app.db.tables.base import Erased, Erasure, Hashed, Kept

_TABLES = {mapper.class_.__name__: mapper.class_ for mapper in Base.registry.mappers}
# what people are known by: a table with such a column can't be kept as it is
_PERSONAL = re.compile(r"(^|_)(address|address_key|first_name|last_name|user_agent|bio|subject|recipient|number)$")


@pytest.mark.parametrize("name", sorted(_TABLES))
def test_every_table_declares_what_becomes_of_it(name: str) -> None:
    assert isinstance(getattr(_TABLES[name], "erasure", None), Erased | Kept | Hashed)


@pytest.mark.parametrize("name", sorted(_TABLES))
def test_a_declaration_names_what_is_there_or_gives_a_reason(name: str) -> None:
    table = _TABLES[name]
    erasure: Erasure = table.erasure
    match erasure:
        case Erased(person=person, workspace=workspace, address=address):
            named = {column for column in (person, workspace, address) if column is not None}
            assert named
            assert named <= set(table.__table__.columns.keys())
        case Kept(reason) | Hashed(reason):
            assert len(reason.split()) >= 3


@pytest.mark.parametrize("name", sorted(_TABLES))
def test_no_table_that_is_kept_says_who_someone_was(name: str) -> None:
    table = _TABLES[name]
    personal = [column.key for column in table.__table__.columns if _PERSONAL.search(column.key)]
    if not isinstance(table.erasure, Erased):
        # an invoice's number is the invoice's
        assert [column for column in personal if (name, column) != ("InvoiceRow", "number")] == []
