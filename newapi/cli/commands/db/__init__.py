"""The database: what is in it, saved and put back."""
