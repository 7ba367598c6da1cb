"""Metrics and statistics as functions on numpy arrays."""

from harness.metrics.scores import ccc, p_au, p_expr, p_mtl, p_va

__all__ = ["ccc", "p_au", "p_expr", "p_mtl", "p_va"]
