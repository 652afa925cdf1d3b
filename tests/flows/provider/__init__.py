"""What is kept at the payment provider of a workspace: its customer."""
