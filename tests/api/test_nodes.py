"""Reading any object again by its id."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import cast
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from app.accounts.access.permissions import ApiScope
from app.catalog import plan_terms
from app.flows.provider.catalog_sync import sync_catalog
from app.ids import GlobalId
from schema.root import schema
from tests.support.accounts import new_address
from tests.support.running_backend import Person, RunningBackend

_EVERYTHING = """query ($id: ID!) {
  viewer { id emails { id } sessions { id } }
  catalog { creditPacks { id } plans { id } }
  workspace(id: $id) {
    id apiKeys { id } auditLog { nodes { id } } paymentMethods { id } invoices { nodes { id } } purchases { nodes { id } }
    subscription { id } usage { id bars { id } } members { nodes { id user { id } } }
    creditBalance { id grants { id } transactions { nodes { id } } }
  }
}"""
_HOLD = """mutation ($input: HoldCreditsInput!) {
  holdCredits(input: $input) { hold { id } userErrors { code } }
}"""
_ORGANIZATION = """mutation ($input: CreateOrganizationInput!) {
  createOrganization(input: $input) { workspace { id } userErrors { code } }
}"""
_INVITE = """mutation ($input: InviteMemberInput!) {
  inviteMember(input: $input) { workspace { invitations { id } } userErrors { code } }
}"""
_NODE = "query ($id: ID!) { node(id: $id) { __typename id } }"
_PUBLIC = {"CreditPack", "Plan"}
_NOBODY = UUID(int=7)


def _node_types() -> set[str]:
    graphql = schema._schema  # pyright: ignore[reportPrivateUsage]
    return {each.name for each in graphql.get_possible_types(graphql.type_map["Node"])}  # pyright: ignore[reportArgumentType]


def _ids(value: object) -> set[str]:
    """Every member called `id` within a JSON value."""
    match value:
        case dict():
            members = cast(dict[str, object], value)
            own = {str(each) for name, each in members.items() if name == "id"}
            return own.union(*(_ids(each) for each in members.values()))
        case list():
            return set[str]().union(*(_ids(each) for each in cast(list[object], value)))
        case _:
            return set()


@pytest_asyncio.fixture
async def owner(backend: RunningBackend) -> AsyncGenerator[Person]:
    """Someone who has one of everything."""
    person = await backend.sign_up()
    await backend.add_card(person)
    await backend.recharge(person)
    await backend.api_key(person, ApiScope.BILLING_READ)
    yield person


async def _all_ids(backend: RunningBackend, owner: Person) -> dict[str, str]:
    """An id of each type that the owner can read."""
    token = await backend.service_key(ApiScope.CREDITS_WRITE)
    given = {"workspaceId": owner.workspace, "amount": "1", "description": "A job", "idempotencyKey": uuid4().hex}
    held = await backend.api.query(_HOLD, {"input": given}, token=token)
    read = await backend.api.query(_EVERYTHING, {"id": owner.workspace}, token=owner.token)
    made = await backend.api.query(_ORGANIZATION, {"input": {"name": "Everything"}}, token=owner.token)
    given = {"workspaceId": made["createOrganization"]["workspace"]["id"], "emailAddress": new_address()}
    invited = await backend.api.query(_INVITE, {"input": given}, token=owner.token)
    return {each.partition("_")[0]: each for each in sorted(_ids([held, read, invited]))}


async def test_every_type_of_node_is_read_again_by_its_id_and_is_null_for_others(
    backend: RunningBackend, owner: Person
) -> None:
    stranger = await backend.sign_up()
    ids = await _all_ids(backend, owner)
    assert ids.keys() == _node_types()

    for name, node_id in ids.items():
        own = await backend.api.query(_NODE, {"id": node_id}, token=owner.token)
        assert own["node"] == {"__typename": name, "id": node_id}
        foreign = await backend.api.query(_NODE, {"id": node_id}, token=stranger.token)
        assert (foreign["node"] is not None) == (name in _PUBLIC), name


async def test_what_is_sold_is_read_without_signing_in(backend: RunningBackend) -> None:
    read = await backend.api.query("{ catalog { creditPacks { id } plans { id } } }")

    for node_id in _ids(read):
        assert (await backend.api.query(_NODE, {"id": node_id}))["node"]["id"] == node_id


async def test_a_plan_is_read_by_the_terms_it_was_sold_on_though_it_is_sold_otherwise_now(
    own_backend: RunningBackend,
) -> None:
    context = own_backend.parts.flow_context
    [team] = [plan for plan in context.catalog.plans if plan.code == "team"]
    roomier = replace(team, requests_per_second=99)
    catalog = replace(context.catalog, plans=tuple(roomier if plan is team else plan for plan in context.catalog.plans))
    await sync_catalog(replace(context, catalog=catalog))
    node = "query ($id: ID!) { node(id: $id) { id ... on Plan { code requestsPerSecond } } }"

    for plan in (team, roomier):
        node_id = str(GlobalId("Plan", plan_terms(catalog, plan).id))
        found = (await own_backend.api.query(node, {"id": node_id}))["node"]
        assert found == {"id": node_id, "code": "team", "requestsPerSecond": plan.requests_per_second}


@pytest.mark.parametrize(
    "node_id",
    [
        "",
        "_",
        "nonsense",
        "Workspace",
        "Workspace_",
        "Workspace_AAAA",
        "Unheard_" + "A" * 23,
        "CreditPack_\N{SNOWMAN}",
        pytest.param("User_" + "A" * 10_000, id="a long one"),
        str(GlobalId("CreditPack", "nothing-like-it")),
        str(GlobalId("Plan", "")),
        str(GlobalId("Plan", "\x00")),
        str(GlobalId("Plan", "team")),
        str(GlobalId("Plan", f"team-{'0' * 16}")),
        str(GlobalId("Workspace", _NOBODY)),
        str(GlobalId("Workspace", _NOBODY, _NOBODY)),
        str(GlobalId("CreditTransaction", _NOBODY, _NOBODY)),
        str(GlobalId("CreditTransaction", _NOBODY)),
        str(GlobalId("CreditPurchase", _NOBODY, _NOBODY)),
        str(GlobalId("Invoice", _NOBODY, _NOBODY)),
        str(GlobalId("PaymentMethod", _NOBODY, _NOBODY)),
        str(GlobalId("CreditBalance", "text")),
        str(GlobalId("User", _NOBODY)),
        str(GlobalId("Email", _NOBODY)),
        str(GlobalId("Session", _NOBODY)),
    ],
)
async def test_an_id_of_nothing_is_null(backend: RunningBackend, node_id: str) -> None:
    person = await backend.sign_up()

    assert (await backend.api.query(_NODE, {"id": node_id}, token=person.token))["node"] is None


@pytest.mark.parametrize(
    ("part", "other"), [("CreditPurchase", "Invoice"), ("Invoice", "CreditPurchase"), ("PaymentMethod", "CreditHold")]
)
async def test_an_id_of_one_type_is_not_one_of_another(
    backend: RunningBackend, owner: Person, part: str, other: str
) -> None:
    node_id = (await _all_ids(backend, owner))[part]

    relabelled = other + node_id.removeprefix(part)

    assert (await backend.api.query(_NODE, {"id": relabelled}, token=owner.token))["node"] is None
