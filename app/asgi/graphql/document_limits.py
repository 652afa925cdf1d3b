"""The one rule on how much a document may ask for: depth, aliases, fields, overlapping fields and page-size cost.

It runs before validation, so it trusts nothing: fields may not exist, fragments may be missing or spread themselves. Each fragment
is measured once however often it is spread, so the work is linear in the length of the document.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast

from graphql import GraphQLError, GraphQLNamedType, GraphQLSchema, GraphQLType, get_named_type
from graphql.language import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    TokenKind,
    VariableNode,
)
from graphql.type import GraphQLArgument, is_composite_type

from app.asgi.graphql.error_formatter import ValidationFailed, refused
from app.errors import BadUserInput, QueryTooComplex
from resolvers.pagination import MOST_ROWS

PAGE_SIZE_ARGUMENTS = ("first", "last")


@dataclass(frozen=True, slots=True)
class DocumentLimits:
    """How much one document may ask for, judged before it is validated."""

    characters: int = 100_000
    """Length of the text, comments included."""
    tokens: int = 3_000
    definitions: int = 100
    """Operations and fragments: validation compares fragments pair by pair, and follows them anew for each operation."""
    depth: int = 20
    """Fields inside fields, fragments followed; the stock introspection query needs 13."""
    aliases: int = 100
    """Aliased fields, counted anew at each spread of a fragment."""
    fields: int = 1_000
    """Fields, counted anew at each spread of a fragment."""
    overlaps: int = 20_000
    """Pairs of fields that answer under one name, which validation compares one by one."""
    cost: int = 10_000
    """One for each field, multiplied by the page sizes around it."""
    page_size: int = MOST_ROWS
    """The largest page there is: a larger `first` is refused by its field and costs no more than this."""
    literal_digits: int = 100
    """Length of a number written in the document."""


@dataclass(frozen=True, slots=True)
class Measure:
    """What a selection asks for, everything spread in it included."""

    depth: int = 0
    aliases: int = 0
    fields: int = 0
    cost: int = 0

    def beside(self, other: Measure) -> Measure:
        """Both in one selection set."""
        return Measure(
            max(self.depth, other.depth),
            self.aliases + other.aliases,
            self.fields + other.fields,
            self.cost + other.cost,
        )


NOTHING = Measure()


class DocumentMeasure:
    """Measures the operations of one document, for one set of variables; what they share is measured once.

    `reads_page_size_from_variables` says, after measuring, whether other variables may give another cost.
    """

    def __init__(
        self, schema: GraphQLSchema, document: DocumentNode, limits: DocumentLimits, variables: Mapping[str, object]
    ) -> None:
        self.reads_page_size_from_variables = False
        self._schema = schema
        self._limits = limits
        self._variables = variables
        self._defaults: dict[str, object] = {}
        self._measured: dict[str, Measure | None] = {}
        self._spread: set[str] = set()
        self._fragments = {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }

    def operation(self, definition: OperationDefinitionNode) -> Measure:
        """What one operation asks for."""
        self._defaults = {
            variable.variable.name.value: _integer(variable.default_value)
            for variable in definition.variable_definitions or ()
        }
        return self._selections(definition.selection_set, self._schema.get_root_type(definition.operation))

    def unused_fragments(self) -> list[FragmentDefinitionNode]:
        """The fragments that no operation measured so far has spread."""
        return [definition for name, definition in self._fragments.items() if name not in self._spread]

    def fragment(self, definition: FragmentDefinitionNode) -> Measure:
        """What a fragment asks for that stands alone: validation walks it too."""
        return self._selections(definition.selection_set, self._schema.get_type(definition.type_condition.name.value))

    def _selections(self, selection_set: SelectionSetNode, parent: GraphQLNamedType | None) -> Measure:
        total = NOTHING
        for selection in selection_set.selections:
            if isinstance(selection, FieldNode):
                total = total.beside(self._field(selection, parent))
            elif isinstance(selection, InlineFragmentNode):
                condition = selection.type_condition
                inner = self._schema.get_type(condition.name.value) if condition else parent
                total = total.beside(self._selections(selection.selection_set, inner))
            elif isinstance(selection, FragmentSpreadNode):
                total = total.beside(self._spread_fragment(selection))
        return total

    def _spread_fragment(self, node: FragmentSpreadNode) -> Measure:
        name = node.name.value
        definition = self._fragments.get(name)
        if definition is None:
            return NOTHING  # validation will say so
        self._spread.add(name)
        if name in self._measured:
            measured = self._measured[name]
            if measured is None:
                raise refused([GraphQLError(f"Cannot spread fragment '{name}' within itself.", node)], ValidationFailed)
            return measured
        self._measured[name] = None
        measured = self._measured[name] = self.fragment(definition)
        return measured

    def _field(self, node: FieldNode, parent: GraphQLNamedType | None) -> Measure:
        aliases = 1 if node.alias else 0
        if node.selection_set is None:
            return Measure(depth=1, aliases=aliases, fields=1, cost=1)
        field = self._schema.get_field(parent, node.name.value) if is_composite_type(parent) else None
        inner = self._selections(node.selection_set, get_named_type(cast("GraphQLType", field.type)) if field else None)
        page = self._page_size(node, field.args if field else {})
        return Measure(inner.depth + 1, inner.aliases + aliases, inner.fields + 1, 1 + page * inner.cost)

    def _page_size(self, node: FieldNode, arguments: Mapping[str, GraphQLArgument]) -> int:
        """How many children a field may give: its `first` as written, as the variable says, or by default; else 1."""
        given = {argument.name.value: argument.value for argument in node.arguments or ()}
        size: object = None
        for name in PAGE_SIZE_ARGUMENTS:
            value = given.get(name)
            if isinstance(value, VariableNode):
                self.reads_page_size_from_variables = True
                variable = value.name.value
                size = self._variables.get(variable, self._defaults.get(variable))
            elif value is not None:
                size = _integer(value)
            if size is None and name in arguments:
                size = _default(arguments[name])
            if isinstance(size, int):
                return min(max(size, 1), self._limits.page_size)
        return 1


def _default(argument: GraphQLArgument) -> object:
    return argument.default.value if argument.default is not None else cast("object", argument.default_value)


def _integer(node: object) -> int | None:
    if isinstance(node, IntValueNode) and len(node.value) < 20:
        return int(node.value)
    return None


def overlapping_pairs(document: DocumentNode, roots: Iterable[SelectionSetNode], limit: int) -> int:
    """How many pairs of fields answer under one name in one place; stops counting past `limit`.

    Each place is walked as execution would see it, so the work is the number of fields, which the caller has limited before.
    """
    fragments = {
        definition.name.value: definition.selection_set
        for definition in document.definitions
        if isinstance(definition, FragmentDefinitionNode)
    }
    pairs = 0
    pending = [[root] for root in roots]
    while pending and pairs <= limit:
        for nodes in _by_response_name(pending.pop(), fragments).values():
            pairs += len(nodes) * (len(nodes) - 1) // 2
            inner = [node.selection_set for node in nodes if node.selection_set]
            if inner:
                pending.append(inner)
    return pairs


def _by_response_name(
    selection_sets: list[SelectionSetNode], fragments: Mapping[str, SelectionSetNode]
) -> dict[str, list[FieldNode]]:
    grouped: dict[str, list[FieldNode]] = {}
    spread: set[str] = set()
    pending = list(selection_sets)
    while pending:
        for selection in pending.pop().selections:
            if isinstance(selection, FieldNode):
                grouped.setdefault((selection.alias or selection.name).value, []).append(selection)
            elif isinstance(selection, InlineFragmentNode):
                pending.append(selection.selection_set)
            elif isinstance(selection, FragmentSpreadNode) and selection.name.value not in spread:
                spread.add(selection.name.value)
                if selection.name.value in fragments:
                    pending.append(fragments[selection.name.value])
    return grouped


def refuse_literals(document: DocumentNode, limits: DocumentLimits) -> None:
    """Raise BadUserInput for a NUL in a string or a number of absurd length, wherever it stands in the document."""
    token = document.loc.start_token if document.loc else None
    while token is not None:
        length = token.end - token.start
        if token.kind in (TokenKind.STRING, TokenKind.BLOCK_STRING):
            if "\0" in (token.value or ""):
                raise BadUserInput("Text must not contain the character NUL (U+0000).")
        elif token.kind in (TokenKind.INT, TokenKind.FLOAT) and length > limits.literal_digits:
            raise BadUserInput(f"A number has {length} characters; at most {limits.literal_digits} are allowed.")
        token = token.next


def check_size(measures: Iterable[Measure], limits: DocumentLimits) -> None:
    """Raise QueryTooComplex for too much depth anywhere, or too many aliases or fields in the document together."""
    total = NOTHING
    for measure in measures:
        total = total.beside(measure)
    check(total.depth, limits.depth, "levels of fields")
    check(total.aliases, limits.aliases, "aliases")
    check(total.fields, limits.fields, "fields, fragments expanded")


def check_cost(measure: Measure, limits: DocumentLimits) -> None:
    """Raise QueryTooComplex for an operation that may answer with too much."""
    check(measure.cost, limits.cost, "points of cost (fields times page sizes)")


def check(value: int, limit: int, what: str) -> None:
    """Raise QueryTooComplex, with the limit and by how much it was passed, if `value` is more than `limit`."""
    if value > limit:
        shown = str(value) if value < 10**9 else "more than 1000000000"
        raise QueryTooComplex(
            f"The document has {shown} {what}; at most {limit} are allowed.", extensions={"limit": limit}
        )
