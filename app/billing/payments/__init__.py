"""Rules about payments: the mirror of cards and invoices, and workspaces that are being deleted."""
