"""People and what is theirs: signing up and in, workspaces and who may do what there, phones, keys, limits, the audit log."""
