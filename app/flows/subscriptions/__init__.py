"""Subscriptions: mirroring the provider's, hosted pages that start one, changes, the end, and the next bill."""
