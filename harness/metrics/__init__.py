"""Metrics and statistics as functions on numpy arrays."""

from harness.metrics.scores import UndefinedMetricWarning, ccc, p_au, p_expr, p_mtl, p_va

__all__ = ["UndefinedMetricWarning", "ccc", "p_au", "p_expr", "p_mtl", "p_va"]
