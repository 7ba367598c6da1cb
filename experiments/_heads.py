"""Heads used by several recipes."""

from harness import HeadConfig

LINEAR = HeadConfig("logistic_regression", learning_rate=1e-2, l2=1e-4, epochs=20)
"""Linear head; the learning rate is high because 8 scores need a higher one than 1,280 embedding values."""
