"""Secrets: kept in the keyring, or encrypted in the database."""
