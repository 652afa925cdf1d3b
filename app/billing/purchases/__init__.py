"""Rules about buying credits: what may be bought, the states of a purchase, refunds and disputes, spend limits."""
