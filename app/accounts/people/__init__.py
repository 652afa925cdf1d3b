"""People: signing up and in, sessions, e-mail addresses, handles, profiles, and the identity provider's users."""
