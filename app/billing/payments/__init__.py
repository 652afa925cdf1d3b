"""Rules about payments: the mirror of cards and invoices, billing details and tax, and workspaces that are being deleted."""
