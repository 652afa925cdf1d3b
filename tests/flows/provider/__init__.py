"""What is kept in line with the provider, whatever someone does in its dashboard."""
