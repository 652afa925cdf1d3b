"""Usage: counting events once, paying for what goes past a plan with credits, and the bars that tell of it."""
