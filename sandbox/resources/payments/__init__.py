"""Payments: payment intents and setup intents, charges, refunds, disputes."""
