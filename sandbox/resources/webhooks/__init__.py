"""Webhook endpoints, and the list of events."""
