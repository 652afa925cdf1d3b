"""What an operation selects below the field that is being resolved, so that it can be read together with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLField,
    GraphQLIncludeDirective,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSkipDirective,
    InlineFragmentNode,
    SelectionSetNode,
)
from graphql.execution import get_argument_values, get_directive_values

from resolvers.context import Info


def arguments_of_selected(info: Info, type_name: str, field_name: str) -> dict[str, Mapping[str, Any]]:
    """The arguments of each selection of `field_name` on the `type_name` that the current field answers, by the name in the answer.

    Aliases and fragments are followed, and what is skipped is left out. So is a selection whose arguments are not acceptable: the
    field says so by itself.
    """
    raw = cast("GraphQLResolveInfo[Any]", info._raw_info)  # pyright: ignore[reportPrivateUsage]
    nodes = _selections(raw, raw.field_nodes, type_name, field_name)
    return {
        node.alias.value if node.alias is not None else field_name: arguments
        for node in nodes
        if (arguments := _arguments(raw, _field(raw, type_name, field_name), node)) is not None
    }


def arguments_below(info: Info, *path: tuple[str, str]) -> list[Mapping[str, Any]]:
    """The arguments of each selection of the last field of a path, whose members are (type, field): the first of them is selected
    on what the current field answers, each other one on what the one before it answers. Otherwise as `arguments_of_selected`.
    """
    raw = cast("GraphQLResolveInfo[Any]", info._raw_info)  # pyright: ignore[reportPrivateUsage]
    nodes = list(raw.field_nodes)
    for type_name, field_name in path:
        nodes = list(_selections(raw, nodes, type_name, field_name))
    found = (_arguments(raw, _field(raw, *path[-1]), node) for node in nodes)
    return [arguments for arguments in found if arguments is not None]


def _selections(
    raw: GraphQLResolveInfo[Any], parents: Iterable[FieldNode], type_name: str, field_name: str
) -> Iterator[FieldNode]:
    """The selections of a field of a type in the selection sets of its parents."""
    of_type = raw.schema.type_map[type_name]
    if not isinstance(of_type, GraphQLObjectType):
        raise TypeError(f"{type_name} is not an object type")
    for parent in parents:
        for node in _fields(raw, of_type, parent.selection_set, set()):
            if node.name.value == field_name:
                yield node


def _field(raw: GraphQLResolveInfo[Any], type_name: str, field_name: str) -> GraphQLField:
    return cast("GraphQLObjectType", raw.schema.type_map[type_name]).fields[field_name]


def _arguments(raw: GraphQLResolveInfo[Any], field: GraphQLField, node: FieldNode) -> Mapping[str, Any] | None:
    try:
        return get_argument_values(field, node, raw.variable_values)
    except GraphQLError:
        return None


def _fields(
    raw: GraphQLResolveInfo[Any], of_type: GraphQLObjectType, selected: SelectionSetNode | None, spread: set[str]
) -> Iterator[FieldNode]:
    """The selected fields of the type, those in fragments too, each fragment once."""
    for node in selected.selections if selected is not None else ():
        if not _is_included(raw, node):
            continue
        if isinstance(node, FieldNode):
            yield node
        elif isinstance(node, InlineFragmentNode):
            if node.type_condition is None or _is_for(raw, node.type_condition.name.value, of_type):
                yield from _fields(raw, of_type, node.selection_set, spread)
        elif isinstance(node, FragmentSpreadNode) and node.name.value not in spread:
            spread.add(node.name.value)
            fragment = raw.fragments[node.name.value]
            if _is_for(raw, fragment.type_condition.name.value, of_type):
                yield from _fields(raw, of_type, fragment.selection_set, spread)


def _is_included(raw: GraphQLResolveInfo[Any], node: Any) -> bool:
    if not node.directives:
        return True
    skip = get_directive_values(GraphQLSkipDirective, node, raw.variable_values)
    include = get_directive_values(GraphQLIncludeDirective, node, raw.variable_values)
    return not (skip and skip["if"]) and not (include and not include["if"])


def _is_for(raw: GraphQLResolveInfo[Any], condition: str, of_type: GraphQLObjectType) -> bool:
    """Whether a fragment on the type named `condition` is for objects of the type."""
    if condition == of_type.name:
        return True
    abstract = raw.schema.type_map.get(condition)
    return isinstance(abstract, GraphQLInterfaceType) and raw.schema.is_sub_type(abstract, of_type)
