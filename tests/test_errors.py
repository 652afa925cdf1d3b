from __future__ import annotations

from typing import ClassVar

from app.errors import DomainError, ErrorCode
from app.wording import count


class TooManyRows(DomainError):
    """More than
    {most} at once."""

    code = ErrorCode.INVALID_INPUT
    placeholders: ClassVar = {"most": count(100, "row")}


def test_an_error_raised_without_a_message_says_its_docstring_with_the_placeholders_filled_in() -> None:
    assert TooManyRows().message == "More than 100 rows at once."
    assert TooManyRows("{most}").message == "{most}"
