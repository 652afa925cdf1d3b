"""Discounts: coupons, and what they take off the lines of an invoice."""
