"""Tax: tax rates, the tax ids of customers, and the amounts of tax."""
