"""Flows: several units of work with calls to the payment provider between them, never inside a transaction."""
