"""Paying invoices, step by step."""
