"""Weights that people have become entries. What a file holds is read as a description; nothing in it is ever run."""
