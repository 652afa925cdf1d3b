"""Who knows a file of schema/ knows the file of resolvers/ behind it: both have the same nouns."""

from __future__ import annotations

from tests.tidy.sources import python_files

# what the schema shows without asking a resolver: of the running parts, or of another noun's answers
_SCHEMA_ALONE = {
    *("__init__", "root", "money", "enums", "scalars", "payloads", "input_texts", "plain_inputs", "user_errors"),
    *("node_interface", "node_lookup", "subscription_inputs", "plan_transitions"),
}
# what several resolvers share
_RESOLVERS_ALONE = {
    *("__init__", "context", "global_ids", "selection", "live_topics"),
    *("billing_access", "payment_rate_limits", "return_urls"),
}


def test_schema_and_resolvers_have_the_same_nouns() -> None:
    schema = {path.stem for path in python_files("schema")}
    resolvers = {path.stem for path in python_files("resolvers")}

    assert schema - _SCHEMA_ALONE == resolvers - _RESOLVERS_ALONE
