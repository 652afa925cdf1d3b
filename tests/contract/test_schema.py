"""The schema that clients build on: exported as it is, whole, and enough for a stock client on its own."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInterfaceType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    get_named_type,
    introspection_from_schema,
    is_input_object_type,
    is_object_type,
    parse,
    validate,
    validate_schema,
)

from app.error_codes import ErrorCode
from schema.root import graphql_schema, schema
from tests.support import operations
from tests.tidy.sources import ROOT

_FILE = ROOT / "schema.graphql"

# The names that clients of the main job use: type, field, and the field's type in the schema's language.
_PROMISED = {
    "Query": {
        "viewer": "User",
        "catalog": "Catalog!",
        "workspace": "Workspace",
        "node": "Node",
    },
    "Mutation": {
        "signUp": "AcknowledgedPayload!",
        "verifyEmail": "SessionPayload!",
        "signIn": "SessionPayload!",
        "signOut": "SignOutPayload!",
        "sendPhoneVerification": "AcknowledgedPayload!",
        "verifyPhone": "WorkspacePayload!",
        "createOrganization": "WorkspacePayload!",
        "updateWorkspace": "WorkspacePayload!",
        "inviteMember": "WorkspacePayload!",
        "revokeInvitation": "WorkspacePayload!",
        "acceptInvitation": "WorkspacePayload!",
        "changeMemberRole": "WorkspacePayload!",
        "removeMember": "WorkspacePayload!",
        "addPaymentMethod": "AddPaymentMethodPayload!",
        "rechargeCredits": "RechargePayload!",
        "deductCredits": "CreditTransactionPayload!",
        "grantCredits": "CreditTransactionPayload!",
    },
    "LiveUpdates": {
        "creditBalanceChanged": "CreditBalance!",
        "creditPurchaseChanged": "CreditPurchase!",
    },
    "Workspace": {
        "id": "ID!",
        "creditBalance": "CreditBalance",
        "spend": "Spend",
        "paymentMethods": "[PaymentMethod!]",
        "invoices": "InvoiceConnection",
        "purchases": "CreditPurchaseConnection",
        "permissions": "[WorkspacePermission!]!",
        "members": "MembershipConnection!",
        "invitations": "[Invitation!]!",
        "plan": "Plan!",
        "subscription": "Subscription!",
    },
    "Membership": {"id": "ID!", "user": "Profile!", "role": "WorkspaceRole!", "joinedAt": "DateTime!"},
    "MembershipConnection": {"totalCount": "Int!"},
    "Invitation": {"id": "ID!", "emailAddress": "String!", "role": "WorkspaceRole!", "expiresAt": "DateTime!"},
    "Seats": {"total": "Int!", "used": "Int!", "available": "Int!"},
    "Profile": {"id": "ID!", "handle": "String!", "displayName": "String!", "avatar": "Avatar!", "bio": "String"},
    "CreditBalance": {
        "available": "Decimal!",
        "held": "Decimal!",
        "grants": "[CreditGrant!]!",
        "version": "BigInt!",
        "transactions": "CreditTransactionConnection!",
    },
    "CreditTransaction": {
        "sequence": "BigInt!",
        "kind": "CreditTransactionKind!",
        "amount": "Decimal!",
        "balanceAfter": "Decimal!",
        "purchase": "CreditPurchase",
        "invoice": "Invoice",
    },
    "CreditPurchase": {"status": "CreditPurchaseStatus!", "price": "Money!", "invoice": "Invoice"},
    "Invoice": {
        "number": "String",
        "status": "InvoiceStatus!",
        "lines": "[InvoiceLine!]!",
        "tax": "Money!",
        "total": "Money!",
        "hostedUrl": "String",
        "pdfUrl": "String",
    },
    "RechargePayload": {
        "purchase": "CreditPurchase",
        "creditBalance": "CreditBalance",
        "transaction": "CreditTransaction",
        "invoice": "Invoice",
        "userErrors": "[UserError!]!",
    },
    "PaymentActionRequired": {"clientSecret": "String!", "hostedUrl": "String"},
    "PaymentDeclined": {"declineCode": "String"},
}

_DOCUMENTS: Mapping[str, str] = {name: text for name, text in vars(operations).items() if name.isupper()}


@pytest.fixture(scope="module")
def exported() -> GraphQLSchema:
    """The schema as a client builds it from the file."""
    return build_schema(_FILE.read_text())


def test_the_file_is_exactly_what_the_program_exports() -> None:
    assert _FILE.read_text() == schema.as_str() + "\n", "run `make schema`"


def test_the_file_alone_is_a_valid_schema(exported: GraphQLSchema) -> None:
    assert validate_schema(exported) == []
    assert introspection_from_schema(exported)["__schema"]["types"]


def test_the_file_says_of_the_whole_what_introspection_says(exported: GraphQLSchema) -> None:
    assert exported.description
    assert exported.description == introspection_from_schema(graphql_schema)["__schema"].get("description")


def test_every_promised_name_is_there_with_its_type(exported: GraphQLSchema) -> None:
    types = {name: kind for name, kind in exported.type_map.items() if isinstance(kind, GraphQLObjectType)}

    found = {
        name: {field: str(types[name].fields[field].type) for field in fields if field in types[name].fields}
        for name, fields in _PROMISED.items()
        if name in types
    }

    assert found == _PROMISED


@pytest.mark.parametrize("name", sorted(name for name in _DOCUMENTS if name not in ("ERRORS", "INVOICE")))
def test_a_stock_clients_operation_is_valid_by_the_file_alone(exported: GraphQLSchema, name: str) -> None:
    assert validate(exported, parse(_DOCUMENTS[name])) == []


def test_every_mutation_takes_one_input_and_answers_one_payload_with_user_errors(exported: GraphQLSchema) -> None:
    mutation = exported.mutation_type
    assert mutation is not None
    for name, field in mutation.fields.items():
        payload = exported.type_map[str(field.type).removesuffix("!")]
        assert isinstance(payload, GraphQLObjectType)
        assert str(payload.fields["userErrors"].type) == "[UserError!]!", name
        # a failed payload has nothing but its errors
        outcome = {each: kind.type for each, kind in payload.fields.items() if each != "userErrors"}
        required = [each for each, kind in outcome.items() if isinstance(kind, GraphQLNonNull)]
        assert required in ([], ["isSignedOut"], ["accepted", "duplicates", "rejected"]), name
        assert list(field.args) in ([], ["input"]), name
        assert all(is_input_object_type(get_named_type(each.type)) for each in field.args.values()), name


def test_every_type_with_an_id_is_a_node(exported: GraphQLSchema) -> None:
    node = exported.type_map["Node"]
    assert isinstance(node, GraphQLInterfaceType)
    nodes = {kind.name for kind in exported.get_possible_types(node)}

    with_an_id = {
        name
        for name, kind in exported.type_map.items()
        if isinstance(kind, GraphQLObjectType) and "id" in kind.fields and not name.startswith("__")
    }

    assert with_an_id == nodes


def test_every_connection_has_edges_nodes_and_page_info(exported: GraphQLSchema) -> None:
    connections = {name: kind for name, kind in exported.type_map.items() if name.endswith("Connection")}

    assert connections
    for name, kind in connections.items():
        assert is_object_type(kind)
        assert isinstance(kind, GraphQLObjectType)
        assert {"edges", "nodes", "pageInfo"} <= kind.fields.keys(), name
        assert str(kind.fields["pageInfo"].type) == "PageInfo!"


def test_the_errors_that_people_can_mend_are_one_interface_with_all_codes(exported: GraphQLSchema) -> None:
    codes = exported.type_map["ErrorCode"]
    assert isinstance(codes, GraphQLEnumType)
    assert codes.values.keys() == {code.value for code in ErrorCode}


def test_amounts_are_never_floats(exported: GraphQLSchema) -> None:
    floats = [
        f"{name}.{field}"
        for name, kind in exported.type_map.items()
        if isinstance(kind, GraphQLObjectType) and not name.startswith("__")
        for field, each in kind.fields.items()
        if get_named_type(each.type).name == "Float"
    ]
    assert floats == ["UsageBar.ratio"]
