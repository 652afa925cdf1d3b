"""Signing in elsewhere: the host product's identity provider, its keys and the tokens it signs. Nothing here knows the database."""
