"""Previews of invoices: what the next one will be, or what a change would bill."""
