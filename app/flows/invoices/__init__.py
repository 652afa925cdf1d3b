"""Paying open invoices, and importing those from before."""
