"""Checkout sessions, in `payment` and `setup` mode."""
