"""A Stripe-compatible server for development and tests.

It is spoken to by the official SDK over HTTP and keeps its state in the schema `stripe_sandbox` of a PostgreSQL.
It imports nothing of the application.
"""
