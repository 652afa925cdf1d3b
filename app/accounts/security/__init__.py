"""Security: keys and hashes, passwords, rate limits, checks of typed text, and errors. The rest of `accounts` builds on it."""
