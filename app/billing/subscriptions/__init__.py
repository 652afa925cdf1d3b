"""Rules about plans and seats, and joining a workspace by taking a seat."""
