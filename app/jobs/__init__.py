"""The worker: the queue's consumer, the schedule of what falls due, and which flow each task calls."""
