"""The cache of documents: what is kept, for whom, and how much of it."""

from __future__ import annotations

import pytest

from app.asgi.graphql.document_limits import DocumentLimits
from app.asgi.graphql.documents import DocumentCache
from app.asgi.graphql.error_formatter import RequestRefused
from app.errors import BadUserInput
from tests.asgi.conftest import Client, code_of
from tests.asgi.toy_schema import graphql_schema


def cache(entries: int = 10, characters: int = 10_000) -> DocumentCache:
    return DocumentCache(graphql_schema, DocumentLimits(), entries=entries, characters=characters)


def test_a_document_is_prepared_once() -> None:
    documents = cache()
    first = documents.prepare("{ hello }", reveal_schema=True)
    assert documents.prepare("{ hello }", reveal_schema=True) is first
    assert len(documents) == 1


def test_what_one_caller_may_see_is_not_kept_for_another() -> None:
    documents = cache()
    documents.prepare("{ __schema { description } }", reveal_schema=True)
    with pytest.raises(RequestRefused):
        documents.prepare("{ __schema { description } }", reveal_schema=False)


def test_it_never_holds_more_entries_than_its_bound() -> None:
    documents = cache(entries=3)
    for index in range(20):
        documents.prepare(f"query Q{index} {{ hello }}", reveal_schema=True)
    assert len(documents) == 3


def test_it_never_holds_more_text_than_its_bound() -> None:
    documents = cache(entries=1_000, characters=500)
    for index in range(50):
        documents.prepare("{ hello }" + " " * index, reveal_schema=True)
    assert 0 < documents.characters <= 500
    documents.prepare("{ hello }" + " " * 1_000, reveal_schema=True)
    assert 0 < documents.characters <= 500


def test_the_least_recently_used_goes_first() -> None:
    documents = cache(entries=2)
    kept = documents.prepare("{ a: hello }", reveal_schema=True)
    documents.prepare("{ b: hello }", reveal_schema=True)
    documents.prepare("{ a: hello }", reveal_schema=True)
    documents.prepare("{ c: hello }", reveal_schema=True)
    assert documents.prepare("{ a: hello }", reveal_schema=True) is kept


def test_a_refused_document_is_not_kept() -> None:
    documents = cache()
    for text in ("{", "{ nope }", "{ hello(name: 1) }"):
        with pytest.raises(RequestRefused):
            documents.prepare(text, reveal_schema=True)
    assert len(documents) == 0


def test_an_operation_is_found_by_name() -> None:
    document = cache().prepare("query A { hello } query B { later }", reveal_schema=True)
    operation = document.operation("B")
    assert operation.name is not None
    assert operation.name.value == "B"


def test_two_operations_without_a_name_are_refused() -> None:
    document = cache().prepare("query A { hello } query B { later }", reveal_schema=True)
    with pytest.raises(BadUserInput, match="several operations"):
        document.operation(None)
    with pytest.raises(BadUserInput, match="no operation of the name"):
        document.operation("C")


async def test_parse_errors_have_a_code_and_a_place(client: Client) -> None:
    response = await client.post("{ hello(")
    assert code_of(response) == "GRAPHQL_PARSE_FAILED"
    assert response.json()["errors"][0]["locations"] == [{"line": 1, "column": 9}]


async def test_validation_errors_have_a_code_and_a_place(client: Client) -> None:
    response = await client.post("{\n  hello\n  nope\n}")
    assert code_of(response) == "GRAPHQL_VALIDATION_FAILED"
    assert response.json()["errors"][0]["locations"] == [{"line": 3, "column": 3}]


async def test_a_document_without_an_operation_is_refused(client: Client) -> None:
    response = await client.post("fragment F on Query { hello }")
    assert (response.status_code, code_of(response)) == (400, "BAD_USER_INPUT")


async def test_a_schema_definition_is_no_operation(client: Client) -> None:
    assert code_of(await client.post("{ hello } type A { b: Int }")) == "GRAPHQL_VALIDATION_FAILED"
