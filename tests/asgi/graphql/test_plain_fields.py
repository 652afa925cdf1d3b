"""What is executed the short way answers what graphql-core answers, in the same order, with the same errors."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, cast

import pytest
import strawberry
from graphql import ExecutionResult, execution, parse
from graphql.execution import Executor
from strawberry.schema.config import StrawberryConfig

from app.asgi.graphql.plain_fields import PlainFieldsExecutor, Shape
from schema.scalars import SCALARS


@strawberry.enum
class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@strawberry.interface
class Named:
    name: str


@strawberry.type
class Leaf(Named):
    colour: Colour
    size: Decimal | None
    at: datetime
    count: int
    is_green: bool
    tags: list[str]
    broken: str

    @strawberry.field
    def upper(self) -> str:
        return self.name.upper()

    @strawberry.field
    def failing(self) -> str | None:
        raise ValueError("this leaf fails")

    @strawberry.field
    def repeated(self, times: Annotated[int, strawberry.argument()] = 2) -> str:
        return self.name * times

    @strawberry.field
    async def later(self) -> str:
        await asyncio.sleep(0)
        return f"{self.name} later"


@strawberry.type
class Branch:
    leaves: list[Leaf]
    best: Leaf | None
    grid: list[list[int]]

    @strawberry.field
    def made(self) -> list[Leaf]:
        return [_leaf("made")]


@strawberry.type
class Query:
    @strawberry.field
    def branch(self) -> Branch:
        return Branch(leaves=[_leaf("a"), _leaf("b")], best=None, grid=[[1], [2, 3]])

    @strawberry.field
    def bad(self) -> Branch | None:
        return Branch(leaves=[_leaf("a"), _leaf("b", broken=None)], best=_leaf("c", broken=None), grid=[])

    @strawberry.field
    def odd(self) -> list[Leaf] | None:
        return cast("list[Leaf]", [_leaf("a"), Other(), 5])

    @strawberry.field
    def named(self) -> Named:
        return _leaf("n")


@dataclass
class Other:
    """What is not what the schema says."""

    name: str = "other"


def _leaf(name: str, *, broken: Any = "whole") -> Leaf:
    return Leaf(
        name=name,
        colour=Colour.BLUE,
        size=None if name == "b" else Decimal("1.50"),
        at=datetime(2030, 1, 1, tzinfo=UTC),
        count=2**31 if name == "made" else 3,
        is_green=False,
        tags=["x", "y"],
        broken=broken,
    )


_SCHEMA = strawberry.Schema(query=Query, config=StrawberryConfig(scalar_map=SCALARS))._schema  # pyright: ignore[reportPrivateUsage]
_ALL = "name colour size at count isGreen tags broken upper"

_DOCUMENTS = {
    "everything plain": f"{{ branch {{ grid leaves {{ {_ALL} }} best {{ name }} }} }}",
    "in another order, with aliases": "{ branch { two: leaves { z: upper y: name __typename } __typename one: grid } }",
    "plain beside what waits": "{ branch { leaves { upper later name repeated(times: 3) other: repeated count } grid } }",
    "fragments": (
        "{ branch { ...B leaves { ... on Leaf { count } ... on Named { name } } } } fragment B on Branch { grid best { name } }"
    ),
    "a null that may not be one": "{ bad { grid leaves { name broken } } branch { grid } }",
    "a null that stops at the next nullable": "{ bad { best { name broken } grid } }",
    "a method that raises": "{ branch { leaves { name failing upper } } }",
    "a number that is too large": "{ branch { made { name count } grid } }",
    "objects of another class": "{ odd { name } branch { grid } }",
    "an interface": "{ named { name __typename ... on Leaf { upper } } }",
    "what is skipped": "query ($no: Boolean!) { branch { grid @skip(if: $no) leaves { name @include(if: $no) count } } }",
}


async def _run(
    executor_class: type[Any], document: str, shape: Shape | None = None, **variables: object
) -> ExecutionResult:
    executor = executor_class.build(
        _SCHEMA, parse(document) if shape is None else document, raw_variable_values=variables
    )
    if isinstance(executor, PlainFieldsExecutor):
        executor.take_shape(shape or Shape())
    result: Any = cast("Any", execution).execute_root_selection_set(executor)
    return cast("ExecutionResult", await result if isinstance(result, Awaitable) else result)


def _shown(result: ExecutionResult) -> tuple[str, object]:
    return repr(result.data), [error.formatted for error in result.errors or ()]


@pytest.mark.parametrize("asked", _DOCUMENTS)
async def test_the_short_way_answers_what_graphql_core_answers(asked: str) -> None:
    document = _DOCUMENTS[asked]
    given: list[dict[str, Any]] = [{"no": False}, {"no": True}] if "$no" in document else [{}]
    for variables in given:
        expected = _shown(await _run(Executor, document, **variables))
        assert _shown(await _run(PlainFieldsExecutor, document, **variables)) == expected


async def test_what_was_found_out_serves_the_next_execution_of_the_document() -> None:
    text = _DOCUMENTS["plain beside what waits"]
    document: Any = parse(text)
    shape = Shape()
    first = await _run(PlainFieldsExecutor, document, shape)
    known = len(shape.selections)
    again = await _run(PlainFieldsExecutor, document, shape)
    assert _shown(first) == _shown(again) == _shown(await _run(Executor, text))
    assert len(shape.selections) == known > 0
