"""Moving a workspace to another plan at once, step by step, with the refunds that follow."""
