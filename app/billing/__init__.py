"""The rules of billing, each on a session: what may be bought, what a payment does, what the mirror of cards and invoices holds."""
