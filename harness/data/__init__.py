"""Data sets: layouts, labels, splits, checks, and a synthetic data set."""
