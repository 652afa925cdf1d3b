"""The provider's events duplicated, shuffled, delayed, forged and lost: the same end."""
