"""Cached backbone features: extraction, storage on disk and access by row."""

DEFAULT_MEMORY = 64 * 2**20
"""Default limit, in bytes, of the features that each `FeatureMatrix` of a job holds in memory."""
