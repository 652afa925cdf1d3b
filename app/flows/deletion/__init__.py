"""Deleting accounts and organizations: first at the payment provider, then here."""
