"""The billing portal: what it offers (configurations), and who may open it (sessions)."""
