"""The object storage: the same promises whatever lies behind it."""
