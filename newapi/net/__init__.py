"""Sockets to upstreams: the only package that opens any for the relay."""
