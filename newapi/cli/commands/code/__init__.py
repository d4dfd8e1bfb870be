"""Redemption codes: whoever redeems one may spend more."""
