"""Makes the variables of an operation the short way where they may hold lists of many input objects.

For each such operation one function a type is made, when its document is prepared. Whatever is wrong with a value, or only unusual,
is left to graphql-core, which tells what is wrong; what both make of a value is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple, TypeAlias, cast

from graphql import (
    GraphQLEnumType,
    GraphQLError,
    GraphQLID,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLString,
    Undefined,
    get_named_type,
    is_required_input_field,
)
from graphql.execution.get_variable_signature import GraphQLVariableSignature, get_variable_signature
from graphql.execution.values import VariableValues, VariableValueSource
from graphql.language import DocumentNode, OperationDefinitionNode
from graphql.utilities.coerce_input_value import coerce_default_value

Make: TypeAlias = Callable[[Any], Any]
"""What a value becomes; raises for one that needs the long way."""


class NeedsTheLongWay(Exception):  # never leaves this module
    """A value that is wrong or unusual, or a type that no function is made for."""


class _Field(NamedTuple):
    name: str
    out_name: str
    make: Make
    is_required: bool
    default: Any


class PlainVariables:
    """The variables of an operation. `document` is the operation's document without them, which is executed once they are made."""

    __slots__ = ("_makers", "_signatures", "document")

    def __init__(
        self, document: DocumentNode, signatures: list[GraphQLVariableSignature], makers: Mapping[str, Make]
    ) -> None:
        self.document = document
        self._signatures = signatures
        self._makers = makers

    def values(self, given: Mapping[str, object]) -> VariableValues | None:
        """The values that are given, made; None where graphql-core is to make them, or tell what is wrong with them."""
        sources: dict[str, VariableValueSource] = {}
        made: dict[str, Any] = {}
        try:
            for signature in self._signatures:
                name = signature.name
                if name in given:
                    sources[name] = VariableValueSource(signature, given[name])
                    made[name] = self._makers[name](given[name])
                elif isinstance(signature.type, GraphQLNonNull):
                    return None
                else:
                    sources[name] = VariableValueSource(signature)
        except Exception:
            return None
        return VariableValues(sources, made)


def plain_variables(
    schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode
) -> PlainVariables | None:
    """The variables of an operation of a valid document; None where that is not worth it, or can't be done."""
    signatures: list[GraphQLVariableSignature] = []
    for node in operation.variable_definitions or ():
        signature = get_variable_signature(schema, node)
        if isinstance(signature, GraphQLError) or signature.default is not None:
            return None
        signatures.append(signature)
    if not any(_has_many(signature.type, ()) for signature in signatures):
        return None
    try:
        makers = {signature.name: _maker(signature.type, ()) for signature in signatures}
    except NeedsTheLongWay:
        return None
    without = replace(operation, variable_definitions=())
    definitions = tuple(without if each is operation else each for each in document.definitions)
    return PlainVariables(replace(document, definitions=definitions), signatures, makers)


def _has_many(of_type: Any, within: tuple[GraphQLInputObjectType, ...]) -> bool:
    """Whether a value of the type may hold a list of input objects."""
    if isinstance(of_type, GraphQLNonNull):
        return _has_many(of_type.of_type, within)
    if isinstance(of_type, GraphQLList):
        return isinstance(get_named_type(cast("Any", of_type)), GraphQLInputObjectType)
    if isinstance(of_type, GraphQLInputObjectType) and of_type not in within:
        return any(_has_many(field.type, (*within, of_type)) for field in of_type.fields.values())
    return False


def _maker(of_type: Any, within: tuple[GraphQLInputObjectType, ...]) -> Make:
    if isinstance(of_type, GraphQLNonNull):
        return _value_maker(of_type.of_type, within)
    return _nullable(_value_maker(of_type, within))


def _value_maker(of_type: Any, within: tuple[GraphQLInputObjectType, ...]) -> Make:
    """What makes a value that is not null."""
    if of_type is GraphQLString or of_type is GraphQLID:
        return _text
    if isinstance(of_type, GraphQLScalarType | GraphQLEnumType):
        return _leaf(of_type.coerce_input_value)
    if isinstance(of_type, GraphQLList):
        return _list(_maker(of_type.of_type, within))
    # one that holds itself may be as deep as a value makes it
    if isinstance(of_type, GraphQLInputObjectType) and of_type not in within and not of_type.is_one_of:
        return _object(of_type, within)
    raise NeedsTheLongWay


def _object(of_type: GraphQLInputObjectType, within: tuple[GraphQLInputObjectType, ...]) -> Make:
    fields: list[_Field] = []
    for name, field in of_type.fields.items():
        default = coerce_default_value(field)
        if isinstance(default, list | dict):
            raise NeedsTheLongWay
        make = _maker(field.type, (*within, of_type))
        fields.append(_Field(name, field.out_name or name, make, is_required_input_field(field), default))
    out_type = of_type.out_type

    def make_object(value: Any) -> Any:
        if value.__class__ is not dict:
            raise NeedsTheLongWay
        made: dict[str, Any] = {}
        unknown = len(value)
        for name, out_name, make, is_required, default in fields:
            if name in value:
                made[out_name] = make(value[name])
                unknown -= 1
            elif is_required:
                raise NeedsTheLongWay
            elif default is not Undefined:
                made[out_name] = default
        if unknown:
            raise NeedsTheLongWay
        return out_type(made)

    return make_object


def _nullable(make: Make) -> Make:
    return lambda value: None if value is None else make(value)


def _list(make: Make) -> Make:
    def make_all(values: Any) -> list[Any]:
        if values.__class__ is not list:
            raise NeedsTheLongWay
        return [make(value) for value in values]

    return make_all


def _leaf(coerce: Make) -> Make:
    def make_leaf(value: Any) -> Any:
        made = coerce(value) if value is not None else Undefined
        if made is Undefined:
            raise NeedsTheLongWay
        return made

    return make_leaf


def _text(value: Any) -> str:
    if value.__class__ is not str:
        raise NeedsTheLongWay
    return value
