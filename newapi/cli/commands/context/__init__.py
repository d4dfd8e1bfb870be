"""Contexts: gateways elsewhere, by name."""
