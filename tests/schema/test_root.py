"""The schema as clients of every age read it."""

from __future__ import annotations

from graphql import build_client_schema, introspection_from_schema, print_schema

from schema.root import graphql_schema, schema

_PLACES_SINCE_2021 = {"DIRECTIVE_DEFINITION"}


def test_no_directive_names_a_place_that_only_drafts_of_the_specification_know() -> None:
    places = set(_places())

    assert not places & _PLACES_SINCE_2021
    assert "FIELD_DEFINITION" in places


def _places() -> list[str]:
    introspection = introspection_from_schema(graphql_schema)
    return [str(place) for directive in introspection["__schema"]["directives"] for place in directive["locations"]]


def test_a_client_that_reads_the_schema_by_introspection_gets_what_is_exported() -> None:
    read = build_client_schema(introspection_from_schema(graphql_schema))

    assert sorted(read.type_map) == sorted(graphql_schema.type_map)
    assert "type Query" in print_schema(read)
    assert "type Query" in schema.as_str()
