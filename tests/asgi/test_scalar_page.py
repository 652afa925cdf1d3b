"""The page that the schema's scalars point to."""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import urldefrag, urljoin

import httpx
import pytest
from graphql import GraphQLError, GraphQLScalarType, build_schema

from app.asgi.scalar_page import PAGE, SPECIFICATIONS, Specification
from app.main import web_app
from schema.scalars import parse_big_int, parse_date_time, parse_decimal
from tests.asgi.under_a_path import under_a_path
from tests.support.running_backend import RunningBackend
from tests.tidy.sources import ROOT

_SCHEMA = build_schema((ROOT / "schema.graphql").read_text())
_BUILT_IN = {"Boolean", "Float", "ID", "Int", "String"}
_PARSE: dict[str, Callable[[object], object]] = {
    "DateTime": parse_date_time,
    "Decimal": parse_decimal,
    "BigInt": parse_big_int,
}
_SPECIFIED = "{ __schema { types { name specifiedByURL } } }"


def _scalars() -> dict[str, str | None]:
    """Our own scalars, and where each says that it is specified."""
    scalars = {name: each for name, each in _SCHEMA.type_map.items() if isinstance(each, GraphQLScalarType)}
    return {name: each.specified_by_url for name, each in scalars.items() if name not in _BUILT_IN}


def test_every_scalar_says_where_it_is_specified() -> None:
    assert [name for name, url in _scalars().items() if not url] == []


@pytest.mark.parametrize("path", ["", "/somewhere/billing"])
async def test_what_the_scalars_point_to_is_served_with_its_anchor(backend: RunningBackend, path: str) -> None:
    async with under_a_path(web_app(backend.parts), path) as address, httpx.AsyncClient() as http:
        endpoint = f"{address}/graphql"
        answer = await http.post(endpoint, json={"query": _SPECIFIED})
        told = {each["name"]: each["specifiedByURL"] for each in answer.json()["data"]["__schema"]["types"]}
        assert {name: url for name, url in told.items() if url} == _scalars()
        ours = {name: urldefrag(urljoin(endpoint, url)) for name, url in told.items() if url and "://" not in url}
        assert sorted(ours) == ["BigInt", "DateTime", "Decimal"]
        for url, anchor in ours.values():
            page = await http.get(url)
            assert page.status_code == 200
            assert page.headers["content-type"].startswith("text/html")
            assert f'id="{anchor}"' in page.text


@pytest.mark.parametrize("scalar", SPECIFICATIONS, ids=lambda scalar: scalar.name)
def test_the_page_says_what_is_taken_and_what_is_refused(scalar: Specification) -> None:
    parse = _PARSE[scalar.name]
    for text in scalar.taken:
        assert parse(json.loads(text)) is not None
    for text in scalar.refused:
        with pytest.raises(GraphQLError):
            parse(json.loads(text))
    assert PAGE.script == ""
