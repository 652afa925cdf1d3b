"""Rows that are alike: fields of a workspace, fields of a user, types of node."""

from __future__ import annotations

from collections.abc import Mapping

from tests.authorization.callers import EVERYONE, OUTSIDERS, OWNERS, SEE_WORKSPACE, Who
from tests.authorization.scene import Scene
from tests.authorization.table import Given, Outcome, Row, Variables, all_of


async def the_workspace(scene: Scene) -> Variables:
    """The organization by its id."""
    return {"id": scene.workspace}


async def the_owner(scene: Scene) -> Variables:
    """The organization's owner by their id."""
    return {"id": scene.ids["User"]}


def fields_of_workspace(fields: Mapping[str, tuple[str, frozenset[Who]]]) -> list[Row]:
    """Each field with its selection and who sees it; others who see the workspace are shown null, without an error."""
    return [
        Row(
            f"Workspace.{name}",
            f"query ($id: ID!) {{ workspace(id: $id) {{ {name} {selection} }} }}",
            allowed,
            given=the_workspace,
            denied=all_of(SEE_WORKSPACE | OUTSIDERS, Outcome.NULL),
            path=("workspace", name),
        )
        for name, (selection, allowed) in fields.items()
    ]


def fields_of_subscription(fields: Mapping[str, tuple[str, frozenset[Who]]], given: Given) -> list[Row]:
    """Each field of a workspace's subscription with its selection and who sees it; others who see the workspace are shown null."""
    return [
        Row(
            f"Subscription.{name}",
            f"query ($id: ID!) {{ workspace(id: $id) {{ subscription {{ {name} {selection} }} }} }}",
            allowed,
            given=given,
            denied=all_of(SEE_WORKSPACE | OUTSIDERS, Outcome.NULL),
            path=("workspace", "subscription", name),
        )
        for name, (selection, allowed) in fields.items()
    ]


def fields_of_user(fields: Mapping[str, str]) -> list[Row]:
    """Each field with its selection: only the person sees it, and to others there is no such user."""
    return [
        Row(
            f"User.{name}",
            f"query ($id: ID!) {{ node(id: $id) {{ ... on User {{ {name} {selection} }} }} }}",
            OWNERS,
            given=the_owner,
            denied=all_of(EVERYONE, Outcome.NULL),
            path=("node", name),
        )
        for name, selection in fields.items()
    ]


def nodes(types: Mapping[str, frozenset[Who]]) -> list[Row]:
    """Each type of node and who reads one; to everyone else it is null."""
    return [
        Row(
            "Query.node",
            "query ($id: ID!) { node(id: $id) { __typename id } }",
            allowed,
            given=_node(name),
            denied=all_of(EVERYONE, Outcome.NULL),
            label=name,
        )
        for name, allowed in types.items()
    ]


def _node(type_name: str) -> Given:
    async def given(scene: Scene) -> Variables:
        return {"id": scene.ids[type_name]}

    return given
