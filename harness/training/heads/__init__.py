"""Heads: their configuration, layers and training on cached features."""
