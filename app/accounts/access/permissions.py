"""What may be done in a workspace, and by which role or scope of a key."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class WorkspaceRole(StrEnum):
    """What a user is in a workspace."""

    OWNER = "OWNER"
    ADMIN = "ADMIN"
    MEMBER = "MEMBER"


class WorkspacePermission(StrEnum):
    """What may be done in a workspace beyond seeing its plan and seats, which all who belong to it may."""

    VIEW_BILLING = "VIEW_BILLING"
    MANAGE_BILLING = "MANAGE_BILLING"
    MANAGE_MEMBERS = "MANAGE_MEMBERS"
    MANAGE_WORKSPACE = "MANAGE_WORKSPACE"
    VIEW_AUDIT_LOG = "VIEW_AUDIT_LOG"
    MANAGE_KEYS = "MANAGE_KEYS"


class ApiScope(StrEnum):
    """What a key may be used for."""

    BILLING_READ = "BILLING_READ"
    BILLING_WRITE = "BILLING_WRITE"
    USAGE_WRITE = "USAGE_WRITE"
    CREDITS_WRITE = "CREDITS_WRITE"
    OPERATOR = "OPERATOR"


# Billing is the owners', and so are the log that tells of it and the keys that reach it.
ROLE_PERMISSIONS: Mapping[WorkspaceRole, frozenset[WorkspacePermission]] = {
    WorkspaceRole.OWNER: frozenset(WorkspacePermission),
    WorkspaceRole.ADMIN: frozenset({WorkspacePermission.MANAGE_MEMBERS}),
    WorkspaceRole.MEMBER: frozenset(),
}


# Who may change what is billed is shown the outcome, so writing includes reading.
SCOPE_PERMISSIONS: Mapping[ApiScope, frozenset[WorkspacePermission]] = {
    ApiScope.BILLING_READ: frozenset({WorkspacePermission.VIEW_BILLING}),
    ApiScope.BILLING_WRITE: frozenset({WorkspacePermission.VIEW_BILLING, WorkspacePermission.MANAGE_BILLING}),
    ApiScope.USAGE_WRITE: frozenset(),
    ApiScope.CREDITS_WRITE: frozenset(),
    ApiScope.OPERATOR: frozenset({WorkspacePermission.VIEW_BILLING}),
}


# A customer must not report its own usage, nor grant itself credits: these are for the host product's keys only.
SERVICE_SCOPES = frozenset({ApiScope.USAGE_WRITE, ApiScope.CREDITS_WRITE, ApiScope.OPERATOR})


def key_permissions(scopes: frozenset[ApiScope]) -> frozenset[WorkspacePermission]:
    """What a key with these scopes may do in the workspaces it reaches."""
    return frozenset[WorkspacePermission]().union(*(SCOPE_PERMISSIONS[scope] for scope in scopes))
