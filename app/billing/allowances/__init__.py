"""What plans include of what is metered: the periods it is counted in, and its limit in each, whatever plan comes meanwhile."""
