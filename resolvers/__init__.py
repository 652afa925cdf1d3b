"""Who is asking, and in which transaction: one function per query, mutation and live update, returning domain values."""
