"""What clients see: names, descriptions, nullability, and how domain values map to them."""
