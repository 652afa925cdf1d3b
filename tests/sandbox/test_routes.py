"""The table of routes."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from typing_extensions import is_typeddict

from sandbox.calls import Route
from sandbox.routes import ROUTES
from sandbox.validation import fields_of


def has_parameter(annotation: Any, names: list[str]) -> bool:
    """Return whether a type of the SDK has the nested parameter that the names lead to."""
    if not names:
        return True
    if is_typeddict(annotation):
        fields = fields_of(annotation)
        return names[0] in fields and has_parameter(fields[names[0]][0], names[1:])
    return any(has_parameter(inner, names) for inner in get_args(annotation))


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_supported_parameter_exists_in_stripes_api(route: Route) -> None:
    unknown = [name for name in route.supports.split() if not has_parameter(route.params, name.split("."))]
    assert unknown == []
