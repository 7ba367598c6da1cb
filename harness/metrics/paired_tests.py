"""Paired permutation tests, intervals and influences for the difference between two runs on the same units.

Arguments `first` and `second` are sequences of statistics, one for each seed; seed i of one run is paired with seed i
of the other, and all have the same units in the same order. A difference is the mean score of the first run over
seeds minus the mean score of the second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.metrics.contributions import RowScores
from harness.metrics.jackknife import Jackknife
from harness.metrics.pair_flips import PairFlips
from harness.metrics.pooled import PooledStatistics
from harness.metrics.power import is_underpowered
from harness.metrics.ranges import clip_to_range
from harness.metrics.resampling import permutation_flips
from harness.metrics.sign_flips import Studentizer, critical_value, divide, draw_seed_errors, p_values
from harness.metrics.unit_statistics import SufficientStatistics
from harness.utils.errors import InputError
from harness.utils.parallel import limit_blas_threads

PERMUTATIONS = 10_000


@dataclass(frozen=True)
class PairedTestResult:
    """Result of a paired permutation test in one metric.

    Attributes
    ----------
    difference : float
        Mean score of the first run minus mean score of the second.
    low, high : float or None
        Ends of the 95% confidence interval of the difference. The interval contains 0 unless `p` is at most 0.05. None
        with fewer than two units.
    p : float
        Two-sided p-value, in (0, 1].
    error : float
        Standard error of the difference over units and seeds; 0 with fewer than two units.
    detectable : float or None
        Minimum true difference that the test finds with 80% power; None if there are too few units to find any.
    """

    difference: float
    low: float | None
    high: float | None
    p: float
    error: float
    detectable: float | None


def paired_permutation_test(
    first: Sequence[SufficientStatistics],
    second: Sequence[SufficientStatistics],
    metric: str,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
    groups: Sequence[int] | None = None,
) -> PairedTestResult:
    """Test the difference between two runs in one metric.

    Parameters
    ----------
    first, second : sequence of SufficientStatistics
        Statistics of each seed of the two runs, with equally many seeds and the same units.
    metric : str
        Name of a metric of the task; see `harness.metrics.pooled_scores.score`.
    permutations : int, default=10000
        Number of permutations.
    seed : int, default=0
        Seed of the draws.
    groups : sequence of int, optional
        Group of each seed, such as the training of the backbone; see `harness.metrics.intervals.confidence_interval`.

    Returns
    -------
    PairedTestResult
        See `all_paired_tests` for the method.

    Raises
    ------
    InputError
        If the metric is unknown, or in the cases listed in `all_paired_tests`.

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
    runs = _PairedRuns(first, second, groups)
    runs.scores.require_metric(metric)
    with limit_blas_threads():
        return runs.run_tests(permutations, seed, (metric,))[metric]


def all_paired_tests(
    first: Sequence[SufficientStatistics],
    second: Sequence[SufficientStatistics],
    permutations: int = PERMUTATIONS,
    seed: int = 0,
    groups: Sequence[int] | None = None,
) -> dict[str, PairedTestResult]:
    """Test the difference between two runs in every metric of the task, with the same draws.

    In each permutation, the two runs are exchanged on every unit with probability 1/2, in all seeds at once. The
    statistic is the difference divided by its standard error, both computed again in each permutation. The p-value is
    ``(1 + number of permuted statistics at least as large) / (1 + permutations)``. With one seed, the test is exact if
    the two runs are exchangeable within units. With several seeds, a random error is added to each permuted difference:
    the part of the seed error that is common to all units. It is drawn as Student's t with S - 1 degrees of freedom,
    where S is the number of seeds, or of their groups. Without it, two trainings of one recipe would too often be found
    different. The ends of the interval are the difference minus and plus the critical value of the test times the
    standard error. So the interval excludes 0 if and only if the test is significant at 5%.

    Parameters
    ----------
    first, second : sequence of SufficientStatistics
        Statistics of each seed of the two runs, with equally many seeds and the same units.
    permutations : int, default=10000
        Number of permutations.
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
        If the numbers of seeds, the numbers of units or the tasks differ, or if no row has a valid label.
    """
    runs = _PairedRuns(first, second, groups)
    with limit_blas_threads():
        return runs.run_tests(permutations, seed, runs.scores.names)


def jackknife_influence(
    first: Sequence[SufficientStatistics], second: Sequence[SufficientStatistics], metric: str
) -> np.ndarray:
    """Compute how much each unit contributes to the difference between two runs.

    Parameters
    ----------
    first, second : sequence of SufficientStatistics
        Statistics of each seed of the two runs, with equally many seeds and the same units.
    metric : str
        Name of a metric of the task.

    Returns
    -------
    ndarray of float64, shape (V,)
        For each of the V units: the difference minus the difference without that unit. Positive if the unit favors the
        first run, and 0 for units without labeled rows.

    Raises
    ------
    InputError
        If the metric is unknown, or the statistics differ in task or number of units.
    """
    pooled = PooledStatistics([*first, *second], many_in_groups=False)
    weights = np.repeat([1 / len(first), -1 / len(second)], [len(first), len(second)])
    total, without = (weights @ pooled.metric(metric, sums) for sums in (pooled.total(), pooled.leave_one_out()))
    influence = np.zeros(pooled.has_rows.shape)
    influence[pooled.has_rows] = total - without
    return influence


class _PairedRuns:
    """Statistics of two runs under exchanges of their units."""

    def __init__(
        self,
        first: Sequence[SufficientStatistics],
        second: Sequence[SufficientStatistics],
        groups: Sequence[int] | None = None,
    ) -> None:
        if not first or len(first) != len(second):
            raise InputError(f"two runs are compared seed by seed; got {len(first)} and {len(second)} seeds")
        self.scores, self.groups = RowScores([first, second], [groups, groups]), groups
        self.pooled, self.seeds = self.scores.pooled, len(first)

    def run_tests(self, permutations: int, seed: int, names: Sequence[str]) -> dict[str, PairedTestResult]:
        """Test the metrics in `names`; see `all_paired_tests`."""
        observed = {name: float(np.subtract(*self.scores.scores(name))) for name in names}
        if self.scores.units < 2:
            return {name: PairedTestResult(value, None, None, 1.0, 0.0, None) for name, value in observed.items()}
        flips = list(permutation_flips(self.scores.units, permutations, seed))
        parts = [self.differences(self._permuted_sums(part), names) for part in flips]
        signs = 1 - 2 * np.concatenate(flips)
        return {
            name: self._run_test(name, observed[name], np.concatenate([part[name] for part in parts]), signs, seed)
            for name in names
        }

    def differences(self, sums: np.ndarray, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Compute the difference between the runs' mean scores in each permutation, from the sums of all seeds."""
        values = self.pooled.metrics(sums)
        return {
            name: values[name][: self.seeds].mean(axis=0) - values[name][self.seeds :].mean(axis=0) for name in names
        }

    def _run_test(
        self, name: str, difference: float, permuted: np.ndarray, signs: np.ndarray, seed: int
    ) -> PairedTestResult:
        """Test one metric; see `all_paired_tests`.

        The signs of differences are chosen in favor of the better run, so that the order of the runs does not matter.

        Parameters
        ----------
        name : str
            The metric.
        difference : float
            The observed difference.
        permuted : ndarray of float64
            The difference in each permutation.
        signs : ndarray of float64, shape (permutations, units)
            -1 where a unit is exchanged, else 1.
        seed : int
            Seed of the draws.
        """
        direction = 1 if difference >= 0 else -1
        seed_error = self._seed_error(name)
        seed_draws = draw_seed_errors(np.array([seed_error]), self.scores.repetitions[:1], len(signs), seed)
        flips = PairFlips(Studentizer(self.scores.shares(name)), signs, seed_error, seed_draws)
        contributions = direction * self.scores.pair_contributions(name, 0, np.array([1]))[0]
        null = flips.statistics(direction * permuted, contributions)
        variance = flips.studentizer.variance_of(contributions, np.array(abs(difference))) + seed_error**2
        error = float(np.sqrt(variance))
        margin = critical_value(null) * error if error > 0 else 0.0
        low, high = clip_to_range(name, difference - margin, difference + margin, difference=True)
        p = float(p_values(divide(np.array(abs(difference)), variance), null))
        detectable = None if is_underpowered(self.pooled.units) else flips.detectable(contributions)
        return PairedTestResult(difference, low, high, p, error, detectable)

    def _seed_error(self, name: str) -> float:
        """Estimate the standard error of the difference that is due to the seeds alone; seeds are paired."""
        values, without = (
            seeds[: self.seeds] - seeds[self.seeds :]
            for seeds in (self.pooled.metric(name, sums) for sums in (self.pooled.total(), self.pooled.leave_one_out()))
        )
        return float(Jackknife(values[:, 0], without).seed_error(self.groups)) if self.seeds > 1 else 0.0

    def _permuted_sums(self, part: np.ndarray) -> np.ndarray:
        """Compute the sums of all seeds in each permutation; a row of `part` is 1 for the units that are exchanged."""
        first, second = self.pooled.rows[: self.seeds], self.pooled.rows[self.seeds :]
        differences = (second - first).reshape(-1, self.pooled.shape[2])
        moved = (differences @ part.T).reshape(self.seeds, -1, len(part))
        total = self.pooled.total()
        return np.concatenate([total[: self.seeds] + moved, total[self.seeds :] - moved])
