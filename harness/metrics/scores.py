"""The metrics of the ABAW challenges as functions of arrays, pooled over all given frames.

An F1 score is undefined if its class or action unit occurs neither in the labels nor in the predictions. A CCC is
undefined if either column is constant. Without any frames, all scores are undefined. Undefined scores count as 0 and
are reported: the functions here issue an `UndefinedMetricWarning`, `harness.metrics.pooled_scores.score` lists them in
`Score.undefined`, and records and boards list them in their field `undefined`. Resampled and permuted sets of videos
follow the same rule. Denominators are fixed (8 expressions, 12 action units), so that an undefined F1 score contributes
0 to the mean. Variances and covariances have the divisor n (Lin 1989). Rows with an invalid label are ignored; see
`harness.metrics.tasks`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from harness.metrics.counts import concordance, confusion_counts, expression_f1, f1, moments
from harness.metrics.score_inputs import select_valid, validate_expressions, validate_pair
from harness.metrics.tasks import ACTION_UNITS, AFFECTS, AU, EXPRESSIONS, VA
from harness.utils.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


class UndefinedMetricWarning(UserWarning):
    """A metric is undefined for the given data and counts as 0.

    Examples
    --------
    >>> import warnings
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     value = ccc([0.0, 0.0], [0.0, 1.0])
    >>> value, caught[0].category.__name__
    (0.0, 'UndefinedMetricWarning')
    """


def ccc(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Compute the concordance correlation coefficient (CCC) between labels and predictions.

    ``CCC = 2 s_tp / (s_t^2 + s_p^2 + (m_t - m_p)^2)``, where m are the means, s^2 the variances and s_tp the covariance
    of labels (t) and predictions (p), with divisor n. Unlike Pearson's correlation it is reduced by differences in
    mean and scale. No row is ignored.

    Parameters
    ----------
    y_true, y_pred : array-like of float, shape (n,)
        Labels and predictions, in any unit.

    Returns
    -------
    float
        Between -1 and 1, 1 being the best; 0 with an `UndefinedMetricWarning` if a column is constant or empty.

    Raises
    ------
    InputError
        If the columns are not one-dimensional, have different lengths, or contain NaN or infinity.

    References
    ----------
    Lin (1989), A concordance correlation coefficient to evaluate reproducibility, Biometrics 45(1).

    Examples
    --------
    >>> from harness.metrics import ccc
    >>> round(ccc([0.0, 0.5, 1.0], [0.0, 0.5, 0.5]), 3)
    0.667
    >>> ccc([0.0, 0.5, 1.0], [0.0, 0.5, 1.0])
    1.0
    """
    value, defined = _ccc_and_defined(*validate_pair(y_true, y_pred, ()))
    _warn_undefined([] if defined else ["CCC"])
    return value


def p_va(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Compute the mean CCC of valence and arousal, the metric of the VA challenge.

    ``P_VA = (CCC(valence) + CCC(arousal)) / 2``; see `ccc`.

    Parameters
    ----------
    y_true, y_pred : array-like of float, shape (n, 2)
        Valence and arousal in [-1, 1]. Rows with a label below -1 are ignored; -5 marks an invalid label.

    Returns
    -------
    float
        Between -1 and 1, 1 being the best. An undefined CCC counts as 0, with an `UndefinedMetricWarning`.

    Raises
    ------
    InputError
        If an array has another shape, or a row with a valid label contains NaN or infinity.

    References
    ----------
    Kollias (2022), ABAW: Valence-Arousal Estimation, Expression Recognition, Action Unit Detection & Multi-Task
    Learning Challenges, arXiv:2202.10659.

    Examples
    --------
    >>> from harness.metrics import p_va
    >>> round(p_va([[0.0, 0.2], [0.5, 0.4], [1.0, 0.6]], [[0.0, 0.2], [0.5, 0.4], [0.5, 0.6]]), 3)
    0.833
    """
    valid_rows = select_valid(VA, *validate_pair(y_true, y_pred, (2,), finite=False))
    labels, predictions = validate_pair(*valid_rows, (2,))
    scores = [_ccc_and_defined(labels[:, i], predictions[:, i]) for i in range(2)]
    _warn_undefined(f"CCC of {name}" for name, (_, defined) in zip(AFFECTS, scores) if not defined)
    return float(np.mean([value for value, _ in scores]))


def p_expr(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Compute the mean F1 score over the eight expressions, the metric of the EXPR challenge.

    ``P_EXPR = sum(F1(c) for c in range(8)) / 8`` with ``F1 = 2 tp / (2 tp + fp + fn)``. The classes are Neutral, Anger,
    Disgust, Fear, Happiness, Sadness, Surprise and Other.

    Parameters
    ----------
    y_true, y_pred : array-like of int, shape (n,)
        Classes 0 to 7. Rows with a negative label are ignored.

    Returns
    -------
    float
        Between 0 and 1, 1 being the best. The mean is always over eight classes: the F1 score of a class that occurs in
        neither column counts as 0, with an `UndefinedMetricWarning`.

    Raises
    ------
    InputError
        If the columns have different lengths or contain values that are not classes.

    References
    ----------
    Kollias (2022), ABAW: Valence-Arousal Estimation, Expression Recognition, Action Unit Detection & Multi-Task
    Learning Challenges, arXiv:2202.10659.

    Examples
    --------
    >>> from harness.metrics import p_expr
    >>> round(p_expr([0, 1, 2, 3, 4, 5, 6, 7], [0, 1, 2, 3, 4, 5, 6, 6]), 3)
    0.833
    """
    labels, predictions = validate_expressions(y_true, y_pred)
    values, defined = expression_f1(confusion_counts(labels * 8 + predictions, 1)[0])
    _warn_undefined(f"F1 of {name}" for name, is_defined in zip(EXPRESSIONS, defined) if not is_defined)
    return float(values.mean())


def accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Compute the share of frames whose expression is predicted correctly.

    Parameters
    ----------
    y_true, y_pred : array-like of int, shape (n,)
        Classes 0 to 7. Rows with a negative label are ignored.

    Returns
    -------
    float
        Between 0 and 1; 0 with an `UndefinedMetricWarning` if no row has a valid label.

    Raises
    ------
    InputError
        If the columns have different lengths or contain values that are not classes.

    Examples
    --------
    >>> accuracy([0, 1, 2, -1], [0, 1, 3, 4])
    0.6666666666666666
    """
    labels, predictions = validate_expressions(y_true, y_pred)
    _warn_undefined([] if len(labels) else ["accuracy"])
    return float((labels == predictions).mean()) if len(labels) else 0.0


def p_au(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Compute the mean F1 score of presence over the twelve action units, the metric of the AU challenge.

    ``P_AU = sum(F1(u) for u in range(12)) / 12`` with ``F1 = 2 tp / (2 tp + fp + fn)``. The action units are AU1, 2, 4,
    6, 7, 10, 12, 15, 23, 24, 25 and 26.

    Parameters
    ----------
    y_true, y_pred : array-like of int, shape (n, 12)
        1 for present, 0 for absent. Rows with any negative label are ignored.

    Returns
    -------
    float
        Between 0 and 1, 1 being the best. The F1 score of an action unit that is present in neither array counts as 0,
        with an `UndefinedMetricWarning`.

    Raises
    ------
    InputError
        If an array has another shape or contains values other than 0 and 1.

    References
    ----------
    Kollias (2022), ABAW: Valence-Arousal Estimation, Expression Recognition, Action Unit Detection & Multi-Task
    Learning Challenges, arXiv:2202.10659.

    Examples
    --------
    >>> from harness.metrics import p_au
    >>> round(p_au([[1] * 12, [0] * 12], [[1] * 12, [1] + [0] * 11]), 3)
    0.972
    """
    labels, predictions = select_valid(AU, *validate_pair(y_true, y_pred, (12,), finite=False))
    for name, values in (("labels", labels), ("predictions", predictions)):
        if not np.isin(values, (0, 1)).all():
            raise InputError(f"{name} of action units must be 0 or 1; convert probabilities with Task.decode")
    true, predicted = labels.astype(bool), predictions.astype(bool)
    values, defined = f1((true & predicted).sum(0), (~true & predicted).sum(0), (true & ~predicted).sum(0))
    _warn_undefined(f"F1 of {name}" for name, is_defined in zip(ACTION_UNITS, defined) if not is_defined)
    return float(values.mean())


def p_mtl(y_true: Mapping[str, ArrayLike], y_pred: Mapping[str, ArrayLike]) -> float:
    """Compute the sum of P_VA, P_EXPR and P_AU, the metric of the multi-task challenge.

    ``P_MTL = P_VA + P_EXPR + P_AU``; see `p_va`, `p_expr` and `p_au`.

    Parameters
    ----------
    y_true, y_pred : mapping of {"va", "expr", "au"} to array-like
        Arrays as `p_va`, `p_expr` and `p_au` take them. Each metric uses the rows that are valid for it.

    Returns
    -------
    float
        Between -1 and 3, 3 being the best.

    Raises
    ------
    InputError
        If one of the three arrays is missing, or if `p_va`, `p_expr` or `p_au` raises it.

    References
    ----------
    Kollias (2022), ABAW: Valence-Arousal Estimation, Expression Recognition, Action Unit Detection & Multi-Task
    Learning Challenges, arXiv:2202.10659.

    Examples
    --------
    >>> from harness.metrics import p_mtl
    >>> labels = {"va": [[0.0, 0.2], [0.5, 0.4]], "expr": [*range(8)], "au": [[1] * 12]}
    >>> p_mtl(labels, labels)
    3.0
    """
    for name, values in (("labels", y_true), ("predictions", y_pred)):
        if missing := {"va", "expr", "au"} - set(values):
            raise InputError(f"{name} for P_MTL lack {', '.join(sorted(missing))}; give va, expr and au")
    return p_va(y_true["va"], y_pred["va"]) + p_expr(y_true["expr"], y_pred["expr"]) + p_au(y_true["au"], y_pred["au"])


def _ccc_and_defined(y_true: np.ndarray, y_pred: np.ndarray) -> tuple[float, bool]:
    value, defined = concordance(moments(y_true, y_pred))
    return float(value), bool(defined)


def _warn_undefined(undefined: Iterable[str]) -> None:
    names = list(undefined)
    if names:
        warnings.warn(f"undefined, counted as 0: {', '.join(names)}", UndefinedMetricWarning, stacklevel=3)
