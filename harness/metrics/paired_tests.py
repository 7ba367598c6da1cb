"""Paired permutation tests, intervals and influences for the difference between two runs on the same units.

Arguments `first` and `second` are sequences of statistics, one for each seed; seed i of one run is paired with seed i
of the other, and all count the same units in the same order. A difference is the mean score of the first run over
seeds minus the mean score of the second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.metrics.bootstrap import clip_to_range, combine_errors, seed_standard_error, studentized_interval
from harness.metrics.intervals import CONFIDENCE_LEVEL
from harness.metrics.pooled import PooledStatistics
from harness.metrics.resampling import bootstrap_weights, permutation_flips
from harness.metrics.unit_statistics import SufficientStatistics
from harness.metrics.variance_components import mean_by_group
from harness.utils.errors import InputError, unknown_name_error
from harness.utils.parallel import limit_blas_threads

PERMUTATIONS = 10_000

TOLERANCE = 1e-9
"""Differences closer than this are considered equal, since they differ by rounding."""


@dataclass(frozen=True)
class PairedTestResult:
    """Result of a paired permutation test in one metric.

    Attributes
    ----------
    difference : float
        Mean score of the first run minus mean score of the second.
    low, high : float or None
        Ends of the 95% confidence interval of the difference; None with fewer than two units or if not requested.
    p : float
        Two-sided p-value, in (0, 1].
    deviation : float
        Standard deviation of the difference under the null hypothesis, the input of `minimum_detectable_effect`.
    """

    difference: float
    low: float | None
    high: float | None
    p: float
    deviation: float


def paired_permutation_test(  # noqa: PLR0913 - public, one keyword for each option
    first: Sequence[SufficientStatistics],
    second: Sequence[SufficientStatistics],
    metric: str,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
    interval: bool = True,
    groups: Sequence[int] | None = None,
) -> PairedTestResult:
    """Test the difference between two runs in one metric.

    Parameters
    ----------
    first, second : sequence of SufficientStatistics
        Statistics of each seed of the two runs, equally many, of the same units.
    metric : str
        Name of a metric of the task; see `harness.metrics.pooled_scores.score`.
    permutations : int, default=10000
        Number of permutations, and of bootstrap draws for the interval.
    seed : int, default=0
        Seed of the draws.
    interval : bool, default=True
        Whether to compute the confidence interval too.
    groups : sequence of int, optional
        Group of each seed, see `harness.metrics.intervals.confidence_interval`.

    Returns
    -------
    PairedTestResult
        See `all_paired_tests` for the method.

    Raises
    ------
    InputError
        If the metric is unknown, or for the reasons of `all_paired_tests`.

    Examples
    --------
    >>> from harness.metrics.unit_statistics import compute_statistics
    >>> labels = np.arange(8).repeat(10)
    >>> good, bad = np.eye(8)[labels], np.eye(8)[np.where(np.arange(80) % 5, labels, 0)]
    >>> runs = [[compute_statistics("expr", run, {"expr": labels}, np.arange(80) % 16, 16)] for run in (good, bad)]
    >>> result = paired_permutation_test(*runs, "accuracy", permutations=1000)
    >>> round(result.difference, 3), result.p < 0.05
    (0.175, True)
    """
    runs = _PairedRuns(first, second, groups=groups)
    runs.require_metric(metric)
    with limit_blas_threads():
        return runs.run_tests(permutations, seed, (metric,), interval)[metric]


def all_paired_tests(
    first: Sequence[SufficientStatistics],
    second: Sequence[SufficientStatistics],
    permutations: int = PERMUTATIONS,
    seed: int = 0,
    groups: Sequence[int] | None = None,
) -> dict[str, PairedTestResult]:
    """Test the difference between two runs in every metric of the task, with the same draws.

    In each permutation every unit exchanges its two runs with probability 1/2, in all seeds at once. The p-value is
    ``(1 + number of permuted differences at least as large) / (1 + permutations)``; with one seed the test is exact if
    the two runs are exchangeable within units. With several seeds, the part of the error that seeds have in common over
    all units is added to each permuted difference as Student's t with S - 1 degrees of freedom; otherwise two trainings
    of one recipe would be declared different. In simulations without a difference, 3 to 8% of the p-values are below
    0.05 with three seeds and 4 to 7% with five, depending on how much the seeds differ. The interval is the studentized
    bootstrap interval of the difference; see `harness.metrics.bootstrap`.

    Parameters
    ----------
    first, second : sequence of SufficientStatistics
        Statistics of each seed of the two runs, equally many, of the same units.
    permutations : int, default=10000
        Number of permutations, and of bootstrap draws for the intervals.
    seed : int, default=0
        Seed of the draws. The same arguments give the same result in every process.
    groups : sequence of int, optional
        Group of each seed, see `harness.metrics.intervals.confidence_interval`.

    Returns
    -------
    dict of str to PairedTestResult
        Results by metric, the primary metric of the task first.

    Raises
    ------
    InputError
        If the numbers of seeds, the units or the tasks differ, or if no row has a valid label.
    """
    runs = _PairedRuns(first, second, groups=groups)
    with limit_blas_threads():
        return runs.run_tests(permutations, seed, runs.names)


def jackknife_influence(
    first: Sequence[SufficientStatistics], second: Sequence[SufficientStatistics], metric: str
) -> np.ndarray:
    """Compute how much each unit contributes to the difference between two runs.

    Parameters
    ----------
    first, second : sequence of SufficientStatistics
        Statistics of each seed of the two runs, equally many, of the same units.
    metric : str
        Name of a metric of the task.

    Returns
    -------
    ndarray of float64, shape (V,)
        The difference minus the difference without that unit; positive where the unit favors the first run, 0 for units
        without rows.

    Raises
    ------
    InputError
        If the metric is unknown, or for the reasons of `all_paired_tests`.
    """
    runs = _PairedRuns(first, second, many_in_groups=False)
    runs.require_metric(metric)
    without = runs.seed_differences(runs.pooled.leave_one_out())[metric].mean(axis=0)
    influence = np.zeros(runs.pooled.has_rows.shape)
    influence[runs.pooled.has_rows] = runs.mean_differences()[metric] - without
    return influence


class _PairedRuns:
    """Statistics of two runs: sets 0 to S - 1 are the first run's seeds, the others the second's."""

    def __init__(
        self,
        first: Sequence[SufficientStatistics],
        second: Sequence[SufficientStatistics],
        many_in_groups: bool = True,
        groups: Sequence[int] | None = None,
    ) -> None:
        if not first or len(first) != len(second):
            raise InputError(f"two runs are compared seed by seed; got {len(first)} and {len(second)} seeds")
        self.seeds, self.groups = len(first), groups
        self.pooled = PooledStatistics([*first, *second], many_in_groups)
        if not self.pooled.units:
            raise InputError("neither run has a row with a valid label, so there is nothing to compare")
        self.names = tuple(self.mean_differences())

    def require_metric(self, metric: str) -> None:
        """Raise `InputError` if the task has no such metric."""
        if metric not in self.names:
            raise unknown_name_error("metric", metric, self.names)

    def seed_differences(self, sums: np.ndarray) -> dict[str, np.ndarray]:
        """Compute the difference of each seed in each metric, [S, R], from sums [2 S, K, R]."""
        return {name: value[: self.seeds] - value[self.seeds :] for name, value in self.pooled.metrics(sums).items()}

    def mean_differences(self) -> dict[str, float]:
        """Compute the mean difference over seeds in each metric."""
        return {name: float(value.mean()) for name, value in self.seed_differences(self.pooled.total()).items()}

    def run_tests(
        self, permutations: int, seed: int, names: Sequence[str], interval: bool = True
    ) -> dict[str, PairedTestResult]:
        """Test the metrics in `names`; see `all_paired_tests`."""
        values, without = self.seed_differences(self.pooled.total()), self.seed_differences(self.pooled.leave_one_out())
        flips = permutation_flips(self.pooled.shape[2], permutations, seed)
        parts = [self.seed_differences(self._permuted_sums(part)) for part in flips]
        repeats = self.seeds if self.groups is None else len(set(self.groups))
        noise = np.random.default_rng(seed).standard_t(max(repeats - 1, 1), permutations)
        ends, results = self._compute_intervals(names, permutations, seed) if interval else {}, {}
        for name in names:
            value, by_seed = float(values[name].mean()), (values[name][:, 0], without[name])
            error = seed_standard_error(*(mean_by_group(array, self.groups) for array in by_seed))
            permuted = np.concatenate([part[name].mean(axis=0) for part in parts])
            low, high = None, None
            if ends:
                ends_with_seeds = combine_errors(value, *ends[name], error, repeats, CONFIDENCE_LEVEL)
                low, high = clip_to_range(name, *ends_with_seeds, difference=True)
            p, deviation = _p_value(value, permuted, error * noise), float(np.sqrt(np.mean(permuted**2) + error**2))
            results[name] = PairedTestResult(value, low, high, p, deviation)
        return results

    def _compute_intervals(self, names: Sequence[str], replicates: int, seed: int) -> dict[str, tuple[float, float]]:
        """Compute intervals over units; none if there is only one unit."""
        if self.pooled.units < 2:
            return {}
        weights = np.repeat([1 / self.seeds, -1 / self.seeds], self.seeds)
        draws = bootstrap_weights(self.pooled.shape[2], replicates, seed)
        return studentized_interval(self.pooled, names, weights, draws, CONFIDENCE_LEVEL)

    def _permuted_sums(self, part: np.ndarray) -> np.ndarray:
        """Compute sums [2 S, K, r] of both runs after the units in `part` [r, V] have been exchanged."""
        first, second = self.pooled.rows[: self.seeds], self.pooled.rows[self.seeds :]
        differences = (second - first).reshape(-1, self.pooled.shape[2])
        moved = (differences @ part.T).reshape(self.seeds, -1, len(part))
        total = self.pooled.total()
        return np.concatenate([total[: self.seeds] + moved, total[self.seeds :] - moved])


def _p_value(observed: float, permuted: np.ndarray, noise: np.ndarray) -> float:
    """Compute the p-value; the seeds' noise is used with both signs, so that the order of the runs does not matter."""
    larger = [np.mean(np.abs(permuted + sign * noise) >= abs(observed) - TOLERANCE) for sign in (1, -1)]
    return float((1 + len(permuted) * np.mean(larger)) / (1 + len(permuted)))
