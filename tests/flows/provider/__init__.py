"""What is kept in line with the payment provider, whatever someone does in its dashboard."""
