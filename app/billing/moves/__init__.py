"""Moving a workspace to another plan at once: leaving a legacy plan, and what operators set, with refunds of unused time."""
