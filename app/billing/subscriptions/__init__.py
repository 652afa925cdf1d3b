"""Rules about plans, trials and seats, and joining a workspace by taking a seat."""
