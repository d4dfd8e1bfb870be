"""Models: who may call them, and what they cost."""
