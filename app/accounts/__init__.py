"""Accounts: users, sessions, workspaces and their members, access and API keys, phone numbers, rate limits, the audit log."""
