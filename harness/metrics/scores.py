"""The challenge's scores as pure functions on arrays, pooled over all the frames they are given.

One rule for what is undefined, here and wherever scores are summed, resampled or compared: it counts as 0 and is named.
Undefined are the F1 of a class or action unit that neither labels nor predictions hold, a CCC of which either column is
constant, and anything of no frame at all. Denominators are fixed (8 expressions, 12 action units), so that such a class
takes its share of the mean. The functions here name it in an UndefinedMetricWarning, `harness.metrics.unit_statistics.score` in
`Score.undefined`, records and boards in their field `undefined`. Of a drawn or swapped set of videos it is 0 likewise.
Moments are population moments (Lin 1989). Rows whose label is invalid by `harness.metrics.tasks` are left out.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping

import numpy as np

from harness.metrics.tasks import ACTION_UNITS, AFFECTS, AU, EXPR, EXPRESSIONS, VA, Output
from harness.utils.errors import InputError

MOMENTS = ("n", "mean_true", "mean_pred", "ss_true", "ss_pred", "ss_both")
"""Columns of a row of moments: count, means, and sums of squares and products about those means."""

COUNTS = ("tp", "fp", "fn", "tn")
"""Columns of a row of binary counts."""


class UndefinedMetricWarning(UserWarning):
    """A score was undefined and counted as 0."""


def concordance(moments: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Concordance correlation of `MOMENTS` [..., 6]: (values [...], defined [...]); undefined values are 0."""
    n, mean_true, mean_pred, ss_true, ss_pred, ss_both = np.moveaxis(moments, -1, 0)
    defined = (ss_true > 0) & (ss_pred > 0)
    spread = ss_true + ss_pred + n * (mean_true - mean_pred) ** 2
    values = np.divide(2 * ss_both, spread, out=np.zeros_like(spread), where=defined)
    return np.clip(values, -1, 1), defined


def f1(tp: np.ndarray, fp: np.ndarray, fn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """F1 of counts [...]: (values [...], defined [...]); undefined (nothing labelled, nothing predicted) is 0."""
    counted = np.asarray(2 * tp + fp + fn, dtype=np.float64)
    defined = counted > 0
    return np.divide(2 * tp, counted, out=np.zeros_like(counted), where=defined), defined


def expression_f1(confusion: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """F1 of each class from confusion counts [..., 8, 8] (true, predicted): (values [..., 8], defined [..., 8])."""
    tp = np.diagonal(confusion, axis1=-2, axis2=-1)
    return f1(tp, confusion.sum(axis=-2) - tp, confusion.sum(axis=-1) - tp)


def action_unit_f1(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """F1 of each action unit from `COUNTS` [..., 12, 4]: (values [..., 12], defined [..., 12])."""
    return f1(counts[..., 0], counts[..., 1], counts[..., 2])


def moments(y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
    """`MOMENTS` [6] of two columns [N]; those of a constant column have a sum of squares of exactly 0."""
    if not len(y_true):
        return np.zeros(len(MOMENTS))
    means, centred = [], []
    for column in (y_true, y_pred):
        shifted = column - column[0]  # exact zeros for a constant, which the mean's rounding would not give
        means.append(column[0] + shifted.mean())
        centred.append(shifted - shifted.mean())
    t, p = centred
    return np.array([len(t), *means, t @ t, p @ p, t @ p])


def ccc(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    """Concordance correlation coefficient of two columns [N], any unit, in [-1, 1].

    2 s_tp / (s_t^2 + s_p^2 + (m_t - m_p)^2) with population moments; no row is left out.
    A constant or empty column gives 0 with UndefinedMetricWarning; NaN or infinity is an InputError.
    """
    value, defined = _ccc(*_pair(y_true, y_pred, ()))
    _warn([] if defined else ["CCC"])
    return value


def p_va(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    """Mean of the CCC of valence and of arousal; labels and predictions [N, 2].

    Rows count where both labels are at least -1 (-5 marks an invalid one).
    """
    y_true, y_pred = _valid(VA, *_pair(y_true, y_pred, (2,), finite=False))
    y_true, y_pred = _pair(y_true, y_pred, (2,))
    scores = [_ccc(y_true[:, i], y_pred[:, i]) for i in range(2)]
    _warn(f"CCC of {name}" for name, (_, defined) in zip(AFFECTS, scores) if not defined)
    return float(np.mean([value for value, _ in scores]))


def p_expr(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    """Mean F1 over the 8 expressions; labels and predictions [N] in 0 to 7, a negative label is invalid."""
    y_true, y_pred = _expressions(y_true, y_pred)
    values, defined = expression_f1(confusion(y_true * 8 + y_pred, 1)[0])
    _warn(f"F1 of {name}" for name, one in zip(EXPRESSIONS, defined) if not one)
    return float(values.mean())


def accuracy(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    """Share of frames whose expression is right; arguments as for `p_expr`, 0 with a warning when no label counts."""
    y_true, y_pred = _expressions(y_true, y_pred)
    _warn([] if len(y_true) else ["accuracy"])
    return float((y_true == y_pred).mean()) if len(y_true) else 0.0


def p_au(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    """Mean F1 of presence over the 12 action units; labels and decisions [N, 12] of 0 and 1.

    A row with any negative label is left out, as the challenge's participants do.
    """
    y_true, y_pred = _valid(AU, *_pair(y_true, y_pred, (12,), finite=False))
    for name, values in (("labels", y_true), ("predictions", y_pred)):
        if not np.isin(values, (0, 1)).all():
            raise InputError(f"{name} of action units are 0 or 1; turn probabilities into decisions with Task.decode")
    t, p = y_true.astype(bool), y_pred.astype(bool)
    values, defined = f1((t & p).sum(0), (~t & p).sum(0), (t & ~p).sum(0))
    _warn(f"F1 of {name}" for name, one in zip(ACTION_UNITS, defined) if not one)
    return float(values.mean())


def p_mtl(y_true: Mapping[str, np.ndarray], y_pred: Mapping[str, np.ndarray]) -> float:
    """P_VA + P_EXPR + P_AU of mappings with keys `va`, `expr` and `au`, each over the rows valid for it."""
    for name, values in (("labels", y_true), ("predictions", y_pred)):
        if missing := {"va", "expr", "au"} - set(values):
            raise InputError(f"{name} for P_MTL lack {', '.join(sorted(missing))}")
    return p_va(y_true["va"], y_pred["va"]) + p_expr(y_true["expr"], y_pred["expr"]) + p_au(y_true["au"], y_pred["au"])


def confusion(code: np.ndarray, units: int) -> np.ndarray:
    """int64 [units, 8, 8] counts (true, predicted) of codes [N]: (unit * 8 + true) * 8 + predicted."""
    return np.bincount(code, minlength=units * 64).reshape(units, 8, 8)


def _ccc(y_true: np.ndarray, y_pred: np.ndarray) -> tuple[float, bool]:
    value, defined = concordance(moments(y_true, y_pred))
    return float(value), bool(defined)


def _expressions(y_true: np.ndarray, y_pred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    y_true, y_pred = _valid(EXPR, *_pair(y_true, y_pred, (), finite=False))
    for name, values in (("labels", y_true), ("predictions", y_pred)):
        strange = values[~np.isin(values, range(8))]
        if len(strange):
            raise InputError(f"{name} of expressions are the class numbers 0 to 7; found {strange[0]:g}")
    return y_true.astype(np.int64), y_pred.astype(np.int64)


def _valid(output: Output, y_true: np.ndarray, y_pred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows = output.valid(y_true)
    return y_true[rows], y_pred[rows]


def _pair(y_true: np.ndarray, y_pred: np.ndarray, width: tuple[int, ...],
          finite: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Both as float64 [N, *width], or an InputError that names the one that is wrong."""
    pair = []
    for name, values in (("labels", y_true), ("predictions", y_pred)):
        values = np.asarray(values, dtype=np.float64)
        values = values.reshape(0, *width) if values.size == 0 else values
        if values.shape[1:] != width or values.ndim != 1 + len(width):
            expected = ", ".join(["N", *map(str, width)])
            raise InputError(f"{name} have shape {list(values.shape)}; expected [{expected}]")
        if finite and not np.isfinite(values).all():
            row = np.flatnonzero(~np.isfinite(values.reshape(len(values), -1)).all(axis=1))[0]
            raise InputError(f"{name} hold NaN or infinity, first in row {row}")
        pair.append(values)
    if len(pair[0]) != len(pair[1]):
        raise InputError(f"{len(pair[0])} labels but {len(pair[1])} predictions; they are paired row by row")
    return pair[0], pair[1]


def _warn(undefined: Iterable[str]) -> None:
    names = list(undefined)
    if names:
        warnings.warn(f"undefined, counted as 0: {', '.join(names)}", UndefinedMetricWarning, stacklevel=3)
