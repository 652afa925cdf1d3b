"""What is kept in line with the payment provider: customers, cards, the catalog, the webhook endpoint."""
