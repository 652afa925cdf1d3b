"""Executes selections the short way where they need nothing but what is there already.

Most of an answer is such: attributes, and methods that take nothing and wait for nothing, of scalars, enums, and objects and lists
of the same kind. For each selection set they become one function, made when it is first executed and kept with the document.
Everything else, and whatever goes wrong in it, is graphql-core's, whose answer is the same.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from operator import attrgetter
from typing import Any, Final, NamedTuple, TypeAlias, cast

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLField,
    GraphQLID,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLString,
)
from graphql.execution import Executor
from graphql.execution.collect_fields import CollectedFields, FieldDetailsList, GroupedFieldSet
from graphql.execution.values import VariableValues
from graphql.language import OperationDefinitionNode
from graphql.pyutils import Path

Convert: TypeAlias = Callable[[Any], Any]
"""What a value becomes in the answer; raises for one that needs the long way."""

Getter: TypeAlias = "str | Callable[[Any], Any]"
"""Where a value comes from: an attribute of the object, or a method of it."""


class NeedsTheLongWay(Exception):  # never leaves this module
    """A value that is not what its type says, or null where that is not allowed: graphql-core tells what is wrong."""


class Selection(NamedTuple):
    """A selection set, taken apart: `plain` makes the part of the answer that waits for nothing, `rest` are the other fields."""

    plain: Convert | None
    rest: GroupedFieldSet
    grouped: GroupedFieldSet


class Shape:
    """What was found out about a document's selections, for all its executions where @skip and @include don't tell them apart."""

    __slots__ = ("roots", "selections", "sub_fields")

    def __init__(self) -> None:
        self.roots: dict[int, GroupedFieldSet] = {}
        self.sub_fields: dict[tuple[GraphQLObjectType, int], tuple[FieldDetailsList, CollectedFields]] = {}
        self.selections: dict[int, Selection] = {}


class PlainFieldsExecutor(Executor[Any]):
    """graphql-core's executor, which takes the short way where there is one."""

    shape: Shape

    def take_shape(self, shape: Shape) -> None:
        """Use what earlier executions of the same document found out, and add to it."""
        self.shape = shape
        self._relevant_sub_fields = shape.sub_fields

    def take_variables(self, operation: OperationDefinitionNode, values: VariableValues) -> None:
        """Execute the operation with these values, where this was built of the document without its variables."""
        self.operation = operation
        self.variable_values = values

    def execute_collected_root_fields(
        self,
        root_type: GraphQLObjectType,
        root_value: Any,
        grouped_field_set: GroupedFieldSet,
        serially: bool,
        new_defer_usages: Any,
    ) -> Any:
        known = self.shape.roots.setdefault(id(self.operation), grouped_field_set)
        return super().execute_collected_root_fields(root_type, root_value, known, serially, new_defer_usages)

    def execute_fields(
        self,
        parent_type: GraphQLObjectType,
        source_value: Any,
        path: Path | None,
        grouped_field_set: GroupedFieldSet,
        position_context: Any,
    ) -> Any:
        selection = self.shape.selections.get(id(grouped_field_set))
        if selection is None:
            selection = self._take_apart(parent_type, grouped_field_set)
            self.shape.selections[id(grouped_field_set)] = selection
        long_way = super().execute_fields
        if selection.plain is None:
            return long_way(parent_type, source_value, path, grouped_field_set, position_context)
        try:
            plain: dict[str, Any] = selection.plain(source_value)
        except Exception:
            return long_way(parent_type, source_value, path, grouped_field_set, position_context)
        if not selection.rest:
            return plain
        rest: Any = long_way(parent_type, source_value, path, selection.rest, position_context)
        if self.is_awaitable(rest):
            return _merged_later(grouped_field_set, plain, cast("Any", rest))
        return _merged(grouped_field_set, plain, rest)

    def _take_apart(self, parent_type: GraphQLObjectType, grouped: GroupedFieldSet) -> Selection:
        readers = {name: self._reader(parent_type, details) for name, details in grouped.items()}
        found = {name: reader for name, reader in readers.items() if reader is not None}
        rest = {name: details for name, details in grouped.items() if name not in found}
        return Selection(_object(found) if found else None, rest, grouped)

    def _reader(self, parent_type: GraphQLObjectType, details: FieldDetailsList) -> tuple[Getter, Convert] | None:
        """Where the value of a field comes from, and what becomes of it; None for one that needs the long way."""
        node = details[0].node
        if node.name.value == "__typename":
            return "__class__", lambda _value: parent_type.name
        field = self.schema.get_field(parent_type, node.name.value)
        getter = _getter(field) if field is not None else None
        convert = self._convert(field.type, details) if field is not None and getter is not None else None
        return (getter, convert) if getter is not None and convert is not None else None

    def _convert(self, of_type: Any, details: FieldDetailsList) -> Convert | None:
        if isinstance(of_type, GraphQLNonNull):
            return self._convert_value(of_type.of_type, details)
        convert = self._convert_value(of_type, details)
        return _nullable(convert) if convert is not None else None

    def _convert_value(self, of_type: Any, details: FieldDetailsList) -> Convert | None:
        """What becomes of a value that is not null."""
        if isinstance(of_type, GraphQLEnumType):
            return _enum(of_type)
        if isinstance(of_type, GraphQLScalarType):
            return _PLAIN_SCALARS.get(of_type) or _scalar(of_type)
        if isinstance(of_type, GraphQLList):
            item = self._convert(of_type.of_type, details)
            return _list(item) if item is not None else None
        if isinstance(of_type, GraphQLObjectType):
            selection = self._take_apart(of_type, self.collect_subfields(of_type, details).grouped_field_set)
            is_plain = selection.plain is not None and not selection.rest
            return _checked(of_type, selection.plain) if is_plain and selection.plain is not None else None
        return None


def _getter(field: GraphQLField) -> Getter | None:
    """Where a field's value comes from, if it takes no arguments and waits for nothing."""
    definition: Any = field.extensions.get("strawberry-definition")
    if definition is None or field.args:
        return None
    if getattr(field.resolve, "_is_default", False):
        return str(definition.python_name)
    resolver = definition.base_resolver
    if (
        resolver is None
        or definition.is_async
        or definition.extensions
        or list(resolver.signature.parameters) != ["self"]
    ):
        return None
    return cast("Callable[[Any], Any]", resolver.wrapped_func)


def _object(readers: dict[str, tuple[Getter, Convert]]) -> Convert:
    in_order = dict.fromkeys(readers)
    attributes = [(name, getter, convert) for name, (getter, convert) in readers.items() if isinstance(getter, str)]
    methods = [(name, getter, convert) for name, (getter, convert) in readers.items() if not isinstance(getter, str)]
    # with one name alone it would answer no tuple, so there is one more; what it reads is left over
    read: Callable[[Any], tuple[Any, ...]] = attrgetter(
        *(getter for _, getter, _ in attributes), "__class__", "__class__"
    )
    named = [(name, convert) for name, _, convert in attributes]

    def convert_object(source: Any) -> dict[str, Any]:
        answer: dict[str, Any] = in_order.copy()
        for (name, convert), value in zip(named, read(source), strict=False):
            answer[name] = convert(value)
        for name, method, convert in methods:
            answer[name] = convert(method(source))
        return answer

    return convert_object


def _checked(of_type: GraphQLObjectType, convert: Convert) -> Convert:
    """`convert` for objects of the class that the type was made of, and no others."""
    origin: type[Any] = of_type.extensions["strawberry-definition"].origin

    def checked(value: Any) -> Any:
        if value.__class__ is not origin:
            raise NeedsTheLongWay
        return convert(value)

    return checked


def _nullable(convert: Convert) -> Convert:
    return lambda value: None if value is None else convert(value)


def _list(convert: Convert) -> Convert:
    def convert_all(values: Any) -> list[Any]:
        if values.__class__ is not list and values.__class__ is not tuple:
            raise NeedsTheLongWay
        return [convert(value) for value in values]

    return convert_all


def _enum(of_type: GraphQLEnumType) -> Convert:
    names = {member.value: name for name, member in of_type.values.items()}
    wrapped: Any = getattr(of_type, "wrapped_cls", ())
    return {member: names[member.value] for member in wrapped if member.value in names}.__getitem__


def _scalar(of_type: GraphQLScalarType) -> Convert:
    coerce = of_type.coerce_output_value

    def convert(value: Any) -> Any:
        coerced = coerce(value) if value is not None else None
        if coerced is None:
            raise NeedsTheLongWay
        return coerced

    return convert


def _text(value: Any) -> str:
    if value.__class__ is not str:
        raise NeedsTheLongWay
    return value


def _whole_number(value: Any) -> int:
    if value.__class__ is not int or not -(2**31) <= value < 2**31:
        raise NeedsTheLongWay
    return value


def _truth(value: Any) -> bool:
    if value.__class__ is not bool:
        raise NeedsTheLongWay
    return value


_PLAIN_SCALARS: Final[dict[GraphQLScalarType, Convert]] = {
    GraphQLString: _text,
    GraphQLID: _text,
    GraphQLInt: _whole_number,
    GraphQLBoolean: _truth,
}


def _merged(grouped: GroupedFieldSet, plain: dict[str, Any], rest: dict[str, Any]) -> dict[str, Any]:
    """Both in the order in which they were selected; what graphql-core left out is left out."""
    return {name: plain[name] if name in plain else rest[name] for name in grouped if name in plain or name in rest}


async def _merged_later(
    grouped: GroupedFieldSet, plain: dict[str, Any], rest: Awaitable[dict[str, Any]]
) -> dict[str, Any]:
    return _merged(grouped, plain, await rest)
