"""People: signing up and in, sessions, passwords, e-mail addresses, handles, profiles, and users of the identity provider."""
