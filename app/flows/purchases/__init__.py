"""Buying credits, step by step: recharge, Checkout, the payment's outcome, the reconciler, refunds."""
