"""Secrets, passwords, rate limits, and what typed text may hold: what everything else about accounts relies on."""
