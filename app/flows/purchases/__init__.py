"""Buying credits, step by step: recharge, Checkout, the outcome, the reconciler, refunds."""
