"""Workspaces: organizations, their members and invitations, and verified phone numbers."""
