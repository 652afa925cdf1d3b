"""Paying open invoices."""
