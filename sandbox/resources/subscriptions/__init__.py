"""Subscriptions: their items and periods, prorations, renewals, pending updates, trials and ends."""
