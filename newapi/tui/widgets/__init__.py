"""Pieces that screens are made of. What they draw is made by plain functions of text and tones."""
