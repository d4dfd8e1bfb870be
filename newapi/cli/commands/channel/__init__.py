"""Channels: the upstream accounts that requests go to."""
