"""Invoices: their items, drafts, totals, finalization and payment."""
