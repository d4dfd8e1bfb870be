"""Groups: a price multiplier, which channels, and limits."""
