"""The configuration file: its schema, reading it, and telling what is wrong with it."""
