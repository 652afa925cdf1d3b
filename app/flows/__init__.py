"""Several steps around a call to the outside: units of work with the gateway between them, never inside."""
