"""Roles, permissions and key scopes, and which role and which scope has which permissions."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class WorkspaceRole(StrEnum):
    """What a user is in a workspace."""

    OWNER = "OWNER"
    ADMIN = "ADMIN"
    MEMBER = "MEMBER"


class WorkspacePermission(StrEnum):
    """What may be done in a workspace, beyond what all its members may: see its plan and seats."""

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


# Billing is for owners only, and so are the audit log, which records it, and keys, which can be given access to it.
ROLE_PERMISSIONS: Mapping[WorkspaceRole, frozenset[WorkspacePermission]] = {
    WorkspaceRole.OWNER: frozenset(WorkspacePermission),
    WorkspaceRole.ADMIN: frozenset({WorkspacePermission.MANAGE_MEMBERS}),
    WorkspaceRole.MEMBER: frozenset(),
}


# Writing includes reading: the answer to a change shows what came of it.
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
    """What a key with these scopes may do in a workspace."""
    return frozenset[WorkspacePermission]().union(*(SCOPE_PERMISSIONS[scope] for scope in scopes))
