"""Deleting accounts and organizations: first at the payment provider, then in the database."""
