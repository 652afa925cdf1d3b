from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from typing import ClassVar

import app
import resolvers
from app.error_codes import ErrorCode
from app.errors import DomainError, ProtocolError
from app.wording import count


class TooManyRows(DomainError):
    """More than
    {most} at once."""

    code = ErrorCode.INVALID_INPUT
    placeholders: ClassVar = {"most": count(100, "row")}


def test_an_error_raised_without_a_message_says_its_docstring_with_the_placeholders_filled_in() -> None:
    assert TooManyRows().message == "More than 100 rows at once."
    assert TooManyRows("{most}").message == "{most}"


def _subclasses(base: type[Exception]) -> Iterator[type[Exception]]:
    for each in base.__subclasses__():
        yield each
        yield from _subclasses(each)


def test_no_docstring_of_an_error_repeats_a_number_by_hand_and_every_placeholder_has_a_text() -> None:
    for package in (app, resolvers):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    domain_errors = [each for each in _subclasses(DomainError) if issubclass(each, DomainError)]
    errors = [*domain_errors, *_subclasses(ProtocolError)]
    assert len(errors) > 40
    assert [each for each in errors if re.search(r"\d", each.__doc__ or "")] == []
    assert [each for each in domain_errors if not each.usual_message()] == []
