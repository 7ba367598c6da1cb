"""Matplotlib helpers shared by all figures."""
