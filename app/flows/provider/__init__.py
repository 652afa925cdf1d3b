"""What the payment provider is told and asked about: customers, cards, the catalog, the endpoint for its events."""
