"""The one limit rule: each limit is reached by a document that passes and passed by one that does not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from graphql import get_introspection_query

from app.asgi.graphql.document_limits import DocumentLimits
from app.asgi.graphql.documents import PreparedDocument, prepare
from app.asgi.graphql.error_formatter import RequestRefused
from app.errors import QueryTooComplex
from tests.asgi.conftest import Client, code_of
from tests.asgi.toy_schema import graphql_schema

LIMITS = DocumentLimits()


def measured(text: str, limits: DocumentLimits = LIMITS) -> PreparedDocument:
    return prepare(graphql_schema, limits, text, reveal_schema=True)


def refusal_of(text: str, limits: DocumentLimits = LIMITS) -> str:
    with pytest.raises(QueryTooComplex) as raised:
        measured(text, limits)
    return raised.value.message


def chain(length: int, body: str, last: str, on: str = "Query") -> str:
    """Fragments F0, F1, … that each hold `body`, in which NEXT is the next one."""
    links = [f"fragment F{index} on {on} {{ {body.replace('NEXT', f'...F{index + 1}')} }}" for index in range(length)]
    return " ".join([*links, f"fragment F{length} on {on} {{ {last} }}"])


def test_the_stock_introspection_query_passes() -> None:
    assert measured(
        get_introspection_query(
            specified_by_url=True, directive_is_repeatable=True, schema_description=True, input_value_deprecation=True
        )
    )


def test_depth_is_limited() -> None:
    def nested(levels: int) -> str:
        return "{ invoice { lines " + "{ line " * (levels - 3) + "{ text }" + " }" * (levels - 3) + " } }"

    assert measured(nested(20))
    assert refusal_of(nested(21)) == "The document has 21 levels of fields; at most 20 are allowed."
    assert "50 levels" in refusal_of(nested(50))


def test_depth_counts_through_fragments() -> None:
    assert "levels of fields" in refusal_of(
        "{ invoice { lines { ...F0 } } } " + chain(30, "line { NEXT }", "text", "Line")
    )


def test_aliases_are_limited() -> None:
    assert measured("{" + " ".join(f"a{index}: hello" for index in range(100)) + "}")
    assert "101 aliases" in refusal_of("{" + " ".join(f"a{index}: hello" for index in range(101)) + "}")


def test_aliases_count_at_each_spread_of_a_fragment() -> None:
    assert "aliases" in refusal_of("{ ...F0 } " + chain(7, "NEXT NEXT", "a: hello"))


def test_ten_thousand_aliases_are_refused_before_anything_else() -> None:
    assert "characters" in refusal_of("{" + " ".join(f"alias{index}: hello" for index in range(10_000)) + "}")


def test_fields_are_limited() -> None:
    tight = replace(LIMITS, fields=50)
    assert measured("{" + "hello " * 50 + "}", tight)
    assert "51 fields" in refusal_of("{" + "hello " * 51 + "}", tight)


def test_forty_fragments_that_each_spread_the_next_twice_are_measured_once_each() -> None:
    assert "more than 1000000000 fields" in refusal_of("{ ...F0 } " + chain(40, "NEXT NEXT", "hello"))


def test_forty_fragments_that_spread_within_inline_fragments_are_measured_once_each() -> None:
    body = "... on Query { NEXT } ... on Query { NEXT }"
    assert "more than 1000000000 fields" in refusal_of("{ ...F0 } " + chain(40, body, "hello"))


def test_tokens_are_limited() -> None:
    assert refusal_of("{" + "hello " * 3_000 + "}") == "The document has more than 3000 tokens."
    assert "tokens" in refusal_of("#\n" * 3_001 + "{ hello }")


def test_operations_and_fragments_are_limited() -> None:
    assert measured(" ".join(f"query Q{index} {{ hello }}" for index in range(100)))
    assert "101 operations and fragments" in refusal_of(" ".join(f"query Q{index} {{ hello }}" for index in range(101)))


def test_fields_that_answer_under_one_name_are_limited() -> None:
    assert measured("{" + "hello " * 200 + "}")
    assert "pairs of fields with one name" in refusal_of("{" + "hello " * 210 + "}")
    assert "pairs of fields with one name" in refusal_of(
        '{ __type(name: "Query") { name } ' * 1 + "invoice { number } " * 201 + "}"
    )


def test_overlaps_count_across_fragments_and_levels() -> None:
    assert "pairs" in refusal_of("{" + "invoice { lines { text text text text } } " * 60 + "}")
    spreads = "{" + "...F " * 99 + "} fragment F on Query { invoice { number number number } }"
    assert measured(spreads)  # one fragment, spread once over, overlaps with nothing but itself


def test_overlaps_in_a_fragment_that_nothing_spreads_count_too() -> None:
    assert "pairs" in refusal_of("{ hello } fragment F on Query {" + "hello " * 210 + "}")


def test_cost_multiplies_children_by_literal_page_sizes() -> None:
    assert measured("{ invoice { lines(first: 100) { lines(first: 90) { text } } } }")
    message = refusal_of("{ invoice { lines(first: 100) { lines(first: 100) { text } } } }")
    assert message.startswith("The document has 10102 points of cost")


def test_cost_takes_the_default_page_size_where_none_is_given() -> None:
    tight = replace(LIMITS, cost=222)
    assert measured("{ invoice { lines { lines { text } } } }", tight)
    assert "222 points" in refusal_of("{ invoice { lines { lines { text } } } }", replace(LIMITS, cost=221))


async def test_cost_takes_page_sizes_from_variables_on_every_request(client: Client) -> None:
    query = "query($n: Int = 100) { invoice { lines(first: $n) { lines(first: $n) { text } } } }"
    assert (await client.post(query, variables={"n": 10})).status_code == 200
    for variables in ({"n": 100}, {}, {"n": 2**31 - 1}):
        response = await client.post(query, variables=variables)
        assert (response.status_code, code_of(response)) == (400, "QUERY_TOO_COMPLEX"), variables
    assert (await client.post(query, variables={"n": 10})).status_code == 200


async def test_cost_is_measured_for_the_operation_that_runs(client: Client) -> None:
    query = (
        "query A($n: Int = 1) { ...F } "
        "query B($n: Int = 100) { ...F } "
        "fragment F on Query { invoice { lines(first: $n) { lines(first: $n) { text } } } }"
    )
    assert (await client.post(query, operationName="A")).status_code == 200
    assert code_of(await client.post(query, operationName="B")) == "QUERY_TOO_COMPLEX"


def test_a_page_larger_than_any_costs_no_more_than_the_largest_so_that_its_field_can_refuse_it() -> None:
    assert measured("{ invoice { lines(first: 2000000000) { text } } }")


def test_a_fragment_that_spreads_itself_is_a_validation_error() -> None:
    for text in (
        "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }",
        "{ invoice { lines { ...A } } } fragment A on Line { invoice { lines { ...A } } }",
        "{ hello } fragment A on Query { ...A }",
    ):
        with pytest.raises(RequestRefused) as raised:
            measured(text)
        assert "within itself" in str(raised.value)


def test_what_does_not_exist_is_left_to_validation() -> None:
    for text in (
        "{ nope { nope } }",
        "{ ...Nope }",
        "{ ... on Nope { hello } }",
        "{ hello { a } }",
        "subscription { nope }",
    ):
        with pytest.raises(RequestRefused):
            measured(text)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{" + " ".join(f"a{index}: hello" for index in range(10_000)) + "}", "QUERY_TOO_COMPLEX"),
        ("{ invoice { lines " + "{ line " * 50 + "{ text }" + " }" * 50 + " } }", "QUERY_TOO_COMPLEX"),
        ("{" * 5_000, "GRAPHQL_PARSE_FAILED"),
        ("{ hello(name: " + "[" * 1_000 + "]" * 1_000 + ") }", "GRAPHQL_PARSE_FAILED"),
        ("{ " + "a" * 90_000 + " }", "GRAPHQL_VALIDATION_FAILED"),
    ],
)
async def test_hostile_documents_get_a_clear_and_short_error(client: Client, query: str, code: str) -> None:
    response = await client.post(query)
    assert (response.status_code, code_of(response)) == (400, code)
    assert len(response.content) < 2_000
