"""Subscriptions: mirroring the provider's, pages that start one, changes, automatic seats, the end, and the next bill."""
