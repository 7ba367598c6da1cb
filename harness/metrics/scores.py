"""The challenge's scores as pure functions on arrays, pooled over all the frames they are given.

One rule for what is undefined, here and wherever scores are summed, resampled or compared: it counts as 0 and is named.
Undefined are the F1 of a class or action unit that neither labels nor predictions hold, a CCC of which either column is
constant, and anything of no frame at all. Denominators are fixed (8 expressions, 12 action units), so that such a class
takes its share of the mean. The functions here name it in an UndefinedMetricWarning, `unit_statistics.score` in
`Score.undefined`, records and boards in their field `undefined`. Of a drawn or swapped set of videos it is 0 likewise.
Moments are population moments (Lin 1989). Rows whose label is invalid by `harness.metrics.tasks` are left out.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping

import numpy as np

from harness.metrics.counts import concordance, confusion_counts, expression_f1, f1, moments
from harness.metrics.tasks import ACTION_UNITS, AFFECTS, AU, EXPR, EXPRESSIONS, VA, Output
from harness.utils.errors import InputError


class UndefinedMetricWarning(UserWarning):
    """A score was undefined and counted as 0."""


def ccc(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    """Concordance correlation coefficient of two columns.

    2 s_tp / (s_t^2 + s_p^2 + (m_t - m_p)^2) with population moments (Lin 1989). No row is left out.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n,)
        Labels and predictions, in any unit.

    Returns
    -------
    float
        Between -1 and 1; 0 with an `UndefinedMetricWarning` where a column is constant or empty.

    Raises
    ------
    InputError
        For columns of different length, and for NaN or infinity.

    Examples
    --------
    >>> round(ccc([0.0, 0.5, 1.0], [0.0, 0.5, 0.5]), 3)
    0.667
    """
    value, defined = _ccc_and_defined(*_validate_pair(y_true, y_pred, ()))
    _warn_undefined([] if defined else ["CCC"])
    return value


def p_va(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    """Mean concordance of valence and arousal, the score of the VA challenge.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n, 2)
        Valence and arousal in [-1, 1]. Rows count where both labels are at least -1 (-5 marks an invalid one).

    Returns
    -------
    float
        Between -1 and 1; an undefined concordance counts as 0, with an `UndefinedMetricWarning`.

    Raises
    ------
    InputError
        For other shapes, and for NaN or infinity in a row that counts.

    Examples
    --------
    >>> round(p_va([[0.0, 0.2], [0.5, 0.4], [1.0, 0.6]], [[0.0, 0.2], [0.5, 0.4], [0.5, 0.6]]), 3)
    0.833
    """
    y_true, y_pred = _select_valid(VA, *_validate_pair(y_true, y_pred, (2,), finite=False))
    y_true, y_pred = _validate_pair(y_true, y_pred, (2,))
    scores = [_ccc_and_defined(y_true[:, i], y_pred[:, i]) for i in range(2)]
    _warn_undefined(f"CCC of {name}" for name, (_, defined) in zip(AFFECTS, scores) if not defined)
    return float(np.mean([value for value, _ in scores]))


def p_expr(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    """Mean F1 over the eight expressions, the score of the EXPR challenge.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n,)
        Class numbers 0 to 7. Rows with a negative label do not count.

    Returns
    -------
    float
        Between 0 and 1. The mean is always over eight classes: the F1 of a class in neither column counts as 0, with an
        `UndefinedMetricWarning`.

    Raises
    ------
    InputError
        For columns of different length, and for a number that is no class.

    Examples
    --------
    >>> round(p_expr([0, 1, 2, 3, 4, 5, 6, 7], [0, 1, 2, 3, 4, 5, 6, 6]), 3)
    0.833
    """
    y_true, y_pred = _validate_expressions(y_true, y_pred)
    values, defined = expression_f1(confusion_counts(y_true * 8 + y_pred, 1)[0])
    _warn_undefined(f"F1 of {name}" for name, one in zip(EXPRESSIONS, defined) if not one)
    return float(values.mean())


def accuracy(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    """Share of frames whose expression is right; arguments as for `p_expr`, 0 with a warning when no label counts."""
    y_true, y_pred = _validate_expressions(y_true, y_pred)
    _warn_undefined([] if len(y_true) else ["accuracy"])
    return float((y_true == y_pred).mean()) if len(y_true) else 0.0


def p_au(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    """Mean F1 of presence over the twelve action units, the score of the AU challenge.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n, 12)
        1 for present, 0 for absent. A row with any negative label does not count, as the challenge's participants do.

    Returns
    -------
    float
        Between 0 and 1; the F1 of a unit that is present in neither counts as 0, with an `UndefinedMetricWarning`.

    Raises
    ------
    InputError
        For other shapes, and for values that are not 0 or 1.

    Examples
    --------
    >>> round(p_au([[1] * 12, [0] * 12], [[1] * 12, [1] + [0] * 11]), 3)
    0.972
    """
    y_true, y_pred = _select_valid(AU, *_validate_pair(y_true, y_pred, (12,), finite=False))
    for name, values in (("labels", y_true), ("predictions", y_pred)):
        if not np.isin(values, (0, 1)).all():
            raise InputError(f"{name} of action units are 0 or 1; turn probabilities into decisions with Task.decode")
    t, p = y_true.astype(bool), y_pred.astype(bool)
    values, defined = f1((t & p).sum(0), (~t & p).sum(0), (t & ~p).sum(0))
    _warn_undefined(f"F1 of {name}" for name, one in zip(ACTION_UNITS, defined) if not one)
    return float(values.mean())


def p_mtl(y_true: Mapping[str, np.ndarray], y_pred: Mapping[str, np.ndarray]) -> float:
    """P_VA + P_EXPR + P_AU, the score of the multi-task challenge.

    Parameters
    ----------
    y_true, y_pred : mapping of "va", "expr" and "au" to array-like
        As `p_va`, `p_expr` and `p_au` take them. Each score is over the rows that are valid for it.

    Returns
    -------
    float

    Raises
    ------
    InputError
        Where one of the three is missing, and as the three functions do.

    Examples
    --------
    >>> labels = {"va": [[0.0, 0.2], [0.5, 0.4]], "expr": [*range(8)], "au": [[1] * 12]}
    >>> p_mtl(labels, labels)
    3.0
    """
    for name, values in (("labels", y_true), ("predictions", y_pred)):
        if missing := {"va", "expr", "au"} - set(values):
            raise InputError(f"{name} for P_MTL lack {', '.join(sorted(missing))}")
    return p_va(y_true["va"], y_pred["va"]) + p_expr(y_true["expr"], y_pred["expr"]) + p_au(y_true["au"], y_pred["au"])


def _ccc_and_defined(y_true: np.ndarray, y_pred: np.ndarray) -> tuple[float, bool]:
    value, defined = concordance(moments(y_true, y_pred))
    return float(value), bool(defined)


def _validate_expressions(y_true: np.ndarray, y_pred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    y_true, y_pred = _select_valid(EXPR, *_validate_pair(y_true, y_pred, (), finite=False))
    for name, values in (("labels", y_true), ("predictions", y_pred)):
        strange = values[~np.isin(values, range(8))]
        if len(strange):
            raise InputError(f"{name} of expressions are the class numbers 0 to 7; found {strange[0]:g}")
    return y_true.astype(np.int64), y_pred.astype(np.int64)


def _select_valid(output: Output, y_true: np.ndarray, y_pred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows = output.valid(y_true)
    return y_true[rows], y_pred[rows]


def _validate_pair(
    y_true: np.ndarray, y_pred: np.ndarray, width: tuple[int, ...], finite: bool = True
) -> tuple[np.ndarray, np.ndarray]:
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


def _warn_undefined(undefined: Iterable[str]) -> None:
    names = list(undefined)
    if names:
        warnings.warn(f"undefined, counted as 0: {', '.join(names)}", UndefinedMetricWarning, stacklevel=3)
