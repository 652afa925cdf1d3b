"""Stripe's resources, one module per family: the objects, their state machines and the calls upon them."""
