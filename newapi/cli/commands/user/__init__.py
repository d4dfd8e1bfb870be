"""Users: who owns tokens, and who may sign in."""
