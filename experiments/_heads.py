"""Heads that recipes share."""

from harness import HeadConfig

LINEAR = HeadConfig("logistic_regression", learning_rate=1e-2, l2=1e-4, epochs=20)
"""Eight scores need a faster rate than 1,280 embeddings do; the cosine schedule lets it settle."""
