"""The product: accounts, credits and payments, without a word of GraphQL below `app.asgi`."""
