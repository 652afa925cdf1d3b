"""Stripe's resources by family. A file named after a resource has the handlers of its HTTP calls; others hold its rules."""
