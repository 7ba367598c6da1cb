"""Metrics and statistics as functions on numpy arrays."""

from harness.metrics.counts import action_unit_f1, concordance, expression_f1, f1, moments
from harness.metrics.scores import UndefinedMetricWarning, accuracy, ccc, p_au, p_expr, p_mtl, p_va

__all__ = [
    "UndefinedMetricWarning",
    "accuracy",
    "action_unit_f1",
    "ccc",
    "concordance",
    "expression_f1",
    "f1",
    "moments",
    "p_au",
    "p_expr",
    "p_mtl",
    "p_va",
]
