"""Who is asking and what they may do: callers, permissions, API keys, and the audit log of what was done."""
