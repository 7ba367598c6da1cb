"""Datasets: layouts, labels, splits, checks, and a synthetic dataset."""
