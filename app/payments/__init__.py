"""How money is moved: the payment gateway as the product sees it, and Stripe behind it."""
