"""What is kept in line with the payment provider: customers, cards, billing details, the catalog, portal and event endpoint."""
