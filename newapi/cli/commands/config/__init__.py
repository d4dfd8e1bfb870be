"""The configuration: which file it is, and what it comes to."""
