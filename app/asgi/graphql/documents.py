"""Parsed and validated documents, kept for the next request with the same text."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from graphql import GraphQLError, GraphQLSchema, parse, specified_rules, validate
from graphql.language import DocumentNode, OperationDefinitionNode
from graphql.validation import ASTValidationRule, NoSchemaIntrospectionCustomRule
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule

from app.asgi.graphql.document_limits import (
    DocumentLimits,
    DocumentMeasure,
    check,
    check_cost,
    check_size,
    overlapping_pairs,
    refuse_literals,
)
from app.asgi.graphql.error_formatter import ParseFailed, ValidationFailed, refused
from app.asgi.graphql.plain_fields import Shape
from app.asgi.graphql.plain_variables import PlainVariables, plain_variables
from app.errors import BadUserInput, QueryTooComplex

_RULES: tuple[type[ASTValidationRule], ...] = (*specified_rules, MaybeNullValidationRule)
_RULES_WITHOUT_INTROSPECTION: tuple[type[ASTValidationRule], ...] = (*_RULES, NoSchemaIntrospectionCustomRule)
_REPORTED_ERRORS = 20


@dataclass(frozen=True, slots=True, eq=False)
class PreparedDocument:
    """A document that is valid and within the limits, but for a cost that each request's variables decide.

    `shape` is what executions find out of its selections; None where variables decide what is selected. `plain_variables` are those
    of its operations whose variables are made the short way.
    """

    ast: DocumentNode
    operations: Mapping[str | None, OperationDefinitionNode]
    cost_depends_on_variables: bool
    shape: Shape | None
    plain_variables: Mapping[str | None, PlainVariables]

    def operation(self, name: str | None) -> OperationDefinitionNode:
        """The operation of that name, or the only one. Raises BadUserInput if that names none, or several."""
        if name is None:
            if len(self.operations) != 1:
                raise BadUserInput("The document has several operations: name one in operationName.")
            return next(iter(self.operations.values()))
        if name not in self.operations:
            raise BadUserInput("The document has no operation of the name given in operationName.")
        return self.operations[name]


class DocumentCache:
    """Prepares documents and keeps those that are valid: the most recently used, bounded in number and in text.

    What a caller may see of the schema is part of the key, because validation depends on it.
    """

    def __init__(self, schema: GraphQLSchema, limits: DocumentLimits, *, entries: int, characters: int) -> None:
        self._schema = schema
        self._limits = limits
        self._entries = entries
        self._characters = characters
        self._kept: OrderedDict[tuple[str, bool], PreparedDocument] = OrderedDict()
        self._kept_characters = 0

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def characters(self) -> int:
        """Text of all documents kept."""
        return self._kept_characters

    def prepare(self, text: str, *, reveal_schema: bool) -> PreparedDocument:
        """Parse, limit and validate.

        Raises QueryTooComplex, BadUserInput (literals), or RequestRefused with the parser's or the validator's errors.
        """
        key = (text, reveal_schema)
        document = self._kept.get(key)
        if document is not None:
            self._kept.move_to_end(key)
            return document
        document = prepare(self._schema, self._limits, text, reveal_schema=reveal_schema)
        self._keep(key, document)
        return document

    def check_cost(
        self, document: PreparedDocument, operation: OperationDefinitionNode, variables: Mapping[str, object]
    ) -> None:
        """Raise QueryTooComplex if the page sizes in `variables` make the operation too costly."""
        if document.cost_depends_on_variables:
            measure = DocumentMeasure(self._schema, document.ast, self._limits, variables)
            check_cost(measure.operation(operation), self._limits)

    def _keep(self, key: tuple[str, bool], document: PreparedDocument) -> None:
        size = len(key[0])
        if size > self._characters:
            return
        self._kept[key] = document
        self._kept_characters += size
        while len(self._kept) > self._entries or self._kept_characters > self._characters:
            (oldest, _), _ = self._kept.popitem(last=False)
            self._kept_characters -= len(oldest)


def prepare(schema: GraphQLSchema, limits: DocumentLimits, text: str, *, reveal_schema: bool) -> PreparedDocument:
    """A document ready to execute; see DocumentCache.prepare for what it raises."""
    check(len(text), limits.characters, "characters")
    ast = _parse(text, limits)
    check(len(ast.definitions), limits.definitions, "operations and fragments")
    refuse_literals(ast, limits)
    operations = [definition for definition in ast.definitions if isinstance(definition, OperationDefinitionNode)]
    if not operations:
        raise BadUserInput("The document has no operation.")
    cost_depends_on_variables = _check_limits(schema, limits, ast, operations)
    errors = validate(
        schema,
        ast,
        _RULES if reveal_schema else _RULES_WITHOUT_INTROSPECTION,
        max_errors=_REPORTED_ERRORS,
        hide_suggestions=not reveal_schema,
    )
    if errors:
        raise refused(errors, ValidationFailed)
    by_name = {definition.name.value if definition.name else None: definition for definition in operations}
    # what is skipped may differ from one execution to the next
    shape = None if "@" in text else Shape()
    plain = {name: plain_variables(schema, ast, operation) for name, operation in by_name.items()}
    found = {name: variables for name, variables in plain.items() if variables is not None}
    return PreparedDocument(ast, by_name, cost_depends_on_variables, shape, found)


def _check_limits(
    schema: GraphQLSchema, limits: DocumentLimits, ast: DocumentNode, operations: list[OperationDefinitionNode]
) -> bool:
    measure = DocumentMeasure(schema, ast, limits, {})
    try:
        measures = [measure.operation(definition) for definition in operations]
        unused = measure.unused_fragments()
        check_size([*measures, *map(measure.fragment, unused)], limits)
    except RecursionError:
        raise QueryTooComplex("The fragments of the document are nested too deeply.") from None
    roots = [definition.selection_set for definition in (*operations, *unused)]
    check(overlapping_pairs(ast, roots, limits.overlaps), limits.overlaps, "pairs of fields with one name")
    if not measure.reads_page_size_from_variables:
        for operation in measures:
            check_cost(operation, limits)
    return measure.reads_page_size_from_variables


def _parse(text: str, limits: DocumentLimits) -> DocumentNode:
    try:
        return parse(text, max_lexical_tokens=limits.tokens, max_comments=limits.tokens)
    except GraphQLError as error:
        if "more than" in error.message and "Parsing aborted" in error.message:
            raise QueryTooComplex(
                f"The document has more than {limits.tokens} tokens.", extensions={"limit": limits.tokens}
            ) from None
        raise refused([error], ParseFailed) from None
