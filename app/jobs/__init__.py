"""The worker's side: the queue, what falls due, and which flow each task calls."""
