"""urql's Graphcache and Apollo Client with the settings of the API guide, and what they make of persisted queries."""

from __future__ import annotations

import re
from pathlib import Path

import orjson
from graphql import GraphQLObjectType, build_schema

from tests.stock_clients.node_programs import guide_example, printed
from tests.support.running_backend import RunningBackend
from tests.tidy.sources import ROOT

_SCHEMA = build_schema((ROOT / "schema.graphql").read_text())
_GRAPHCACHE = guide_example("cacheExchange", "embedded")
_APOLLO = guide_example("InMemoryCache")

_SUBSCRIPTION = "{ viewer { id workspaces { id subscription { id plan { id } } } } }"
_PARTS = """{
  catalog { name creditUnit { code } creditPacks { id price { amount } } plans { id seats { included } } }
  viewer {
    id
    avatar { initials }
    workspaces { id spend { spent { amount } period { start } } subscription { id seats { total } } invoices { nodes { id } } }
  }
}"""
_REFUSED = 'mutation { changeHandle(input: {handle: "!"}) { user { id } userErrors { code message } } }'

# the answer to each document, and what the cache has complained of
_ASK_BY_URQL = """
import { Client, fetchExchange } from "@urql/core";

const complaints = new Set();
console.warn = (text) => complaints.add(String(text).split("\\n")[0]);
const exchanges = [cache, fetchExchange];
const fetchOptions = { headers: { authorization: `Bearer ${process.env.TOKEN}` } };
const client = new Client({ url: process.env.URL, exchanges, fetchOptions, preferGetMethod: false });
for (const document of JSON.parse(process.env.DOCUMENTS)) {
  const kind = document.startsWith("mutation") ? "mutation" : "query";
  const { data, error } = await client[kind](document, {}).toPromise();
  console.log(JSON.stringify(error ? String(error) : data));
}
console.log(JSON.stringify([...complaints]));
"""
# what is left of one part when two queries read different fields of it
_TWO_QUERIES_BY_APOLLO = """
import { ApolloClient, ApolloLink, gql, Observable } from "@apollo/client";

const complaints = [];
console.warn = console.error = (...text) => complaints.push(text.join(" "));
const spend = (fields) => ({ workspace: { __typename: "Workspace", id: "w", spend: { __typename: "Spend", ...fields } } });
const money = (amount) => ({ __typename: "Money", amount, currency: "EUR" });
const answers = [spend({ spent: money("1.00") }), spend({ limit: money("9.00") })];
const link = new ApolloLink(() => new Observable((seen) => { seen.next({ data: answers.shift() }); seen.complete(); }));
const client = new ApolloClient({ cache, link });
const first = gql`{ workspace { id spend { spent { amount currency } } } }`;
await client.query({ query: first });
await client.query({ query: gql`{ workspace { id spend { limit { amount currency } } } }` });
const kept = client.readQuery({ query: first });
console.log(JSON.stringify(kept === null ? null : kept.workspace.spend.spent.amount));
console.log(JSON.stringify(complaints));
"""
_PERSISTED_BY_APOLLO = """
import { ApolloClient, gql, HttpLink, InMemoryCache } from "@apollo/client";
import { PersistedQueryLink } from "@apollo/client/link/persisted-queries";
import { createHash } from "node:crypto";

const sent = [];
const fetchAndSee = (url, options) => {
  sent.push(!options.body ? "hash" : JSON.parse(options.body).query ? "query" : "hash");
  return fetch(url, options);
};
const sha256 = (text) => createHash("sha256").update(text).digest("hex");
const headers = process.env.ACCEPT ? { accept: process.env.ACCEPT } : {};
const persisted = new PersistedQueryLink({ sha256, useGETForHashedQueries: process.env.BY_GET === "yes" });
const link = persisted.concat(new HttpLink({ uri: process.env.URL, fetch: fetchAndSee, headers }));
const client = new ApolloClient({ cache: new InMemoryCache(), link });
for (const field of ["name", "currency"]) {
  const { data } = await client.query({ query: gql(`query Of { catalog { ${field} } }`) });
  console.log(JSON.stringify(data.catalog[field]));
}
console.log(JSON.stringify(sent));
"""


def _url(backend: RunningBackend) -> str:
    return f"{backend.api.url}/graphql"


def _embedded() -> set[str]:
    """The types of the schema that are part of another object: no id, and none that clients know as such by themselves."""
    roots = {_SCHEMA.query_type, _SCHEMA.mutation_type, _SCHEMA.subscription_type}
    known = re.compile(r"__.*|PageInfo|.*(Connection|Edge|Payload)")
    errors = {each.name for each in _SCHEMA.get_implementations(_SCHEMA.type_map["UserError"]).objects}  # pyright: ignore[reportArgumentType]
    return {
        name
        for name, each in _SCHEMA.type_map.items()
        if isinstance(each, GraphQLObjectType) and "id" not in each.fields and each not in roots
        if not known.fullmatch(name) and name not in errors
    }


def test_the_guide_lists_every_type_without_an_id() -> None:
    listed = re.findall(r"^    (\w+): embedded,$", _GRAPHCACHE, re.MULTILINE)
    assert listed == sorted(_embedded())
    [parts] = re.findall(r"^const parts = \[(.*)\];$", _APOLLO, re.MULTILINE)
    assert set(re.findall(r"\w+", parts)) <= _embedded()


def test_the_guide_names_the_roots_of_the_schema() -> None:
    roots = re.findall(r'(\w+)Type: \{ name: "(\w+)" \}', _GRAPHCACHE)
    assert dict(roots) == {
        "query": _SCHEMA.query_type and _SCHEMA.query_type.name,
        "mutation": _SCHEMA.mutation_type and _SCHEMA.mutation_type.name,
        "subscription": _SCHEMA.subscription_type and _SCHEMA.subscription_type.name,
    }


async def test_graphcache_reads_what_is_there_with_the_settings_of_the_guide(
    backend: RunningBackend, tmp_path: Path
) -> None:
    person = await backend.sign_up()
    asked = orjson.dumps([_SUBSCRIPTION, _PARTS, _REFUSED]).decode()
    given = {"URL": _url(backend), "TOKEN": person.token, "DOCUMENTS": asked}

    first, second, refused, complaints = await printed(tmp_path, _GRAPHCACHE + _ASK_BY_URQL, **given)

    assert first["viewer"]["workspaces"][0]["subscription"]["plan"]["id"]
    assert second["viewer"]["workspaces"][0]["subscription"]["seats"] == {"total": 1}
    assert refused["changeHandle"]["userErrors"][0]["code"] == "HANDLE_INVALID"
    assert complaints == []


async def test_graphcache_reads_nothing_without_them(backend: RunningBackend, tmp_path: Path) -> None:
    person = await backend.sign_up()
    given = {"URL": _url(backend), "TOKEN": person.token, "DOCUMENTS": orjson.dumps([_SUBSCRIPTION]).decode()}
    bare = 'import { cacheExchange } from "@urql/exchange-graphcache";\nconst cache = cacheExchange({});\n'

    data, complaints = await printed(tmp_path, bare + _ASK_BY_URQL, **given)

    assert data is None
    assert any("root" in each for each in complaints)


async def test_apollo_keeps_what_two_queries_read_of_one_part(tmp_path: Path) -> None:
    program = re.sub(r"^import introspection .*$", "const introspection = {};", _APOLLO, flags=re.MULTILINE)
    bare = re.sub(r"typePolicies: .*,$", "", program, flags=re.MULTILINE)

    assert await printed(tmp_path, program + _TWO_QUERIES_BY_APOLLO) == ["1.00", []]
    # without them the later answer replaces the earlier one
    assert (await printed(tmp_path, bare + _TWO_QUERIES_BY_APOLLO))[0] is None


async def test_apollo_sends_the_query_when_it_hears_that_hashes_are_not_supported(
    backend: RunningBackend, tmp_path: Path
) -> None:
    for more in ({}, {"BY_GET": "yes"}, {"ACCEPT": "application/json"}):
        name, currency, sent = await printed(tmp_path, _PERSISTED_BY_APOLLO, URL=_url(backend), **more)

        assert (name, len(currency)) == ("Analytics", 3)
        assert sent == ["hash", "query", "query"]
