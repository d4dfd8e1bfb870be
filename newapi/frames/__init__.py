"""Bytes of a stream into frames, fed piece by piece."""
