"""Tokens: what callers show to be let in."""
