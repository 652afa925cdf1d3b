"""What an operation selects below the field that is being resolved, so that it can be read together with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLError,
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
    of_type = raw.schema.type_map[type_name]
    if not isinstance(of_type, GraphQLObjectType):
        raise TypeError(f"{type_name} is not an object type")
    field = of_type.fields[field_name]
    found: dict[str, Mapping[str, Any]] = {}
    for parent in raw.field_nodes:
        for node in _fields(raw, of_type, parent.selection_set, set()):
            if node.name.value != field_name:
                continue
            try:
                arguments = get_argument_values(field, node, raw.variable_values)
            except GraphQLError:
                continue
            found[node.alias.value if node.alias is not None else field_name] = arguments
    return found


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
