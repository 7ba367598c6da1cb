DEFAULT_MEMORY = 64 * 2**20
"""Bytes of features that a job may hold."""
