"""OIDC: the host product's identity provider, its keys, and verifying the tokens it signs. Does not use the database."""
