"""Accounts and organizations deleted for good, through the whole product."""
