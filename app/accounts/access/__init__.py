"""Access: callers, roles and permissions, the check of a caller's access to a workspace, API keys, and the audit log."""
