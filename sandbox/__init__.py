"""A Stripe-compatible server for development and tests.

The official SDK talks to it over HTTP. Its state is in the schema `stripe_sandbox` of a PostgreSQL database.
It imports nothing of the application.
"""
