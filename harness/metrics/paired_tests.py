"""Two runs on the same units: how far they are apart, how sure that is, and which units make the difference.

Lists of statistics hold one entry for each seed, seed i of one run beside seed i of the other; every entry counts the
same units in the same order. A difference is the first's mean over seeds less the second's.
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
from harness.utils.errors import InputError, unknown_name_error
from harness.utils.parallel import limit_blas_threads

PERMUTATIONS = 10_000
TOLERANCE = 1e-9
"""Differences closer than this are equal: they differ by rounding."""


@dataclass(frozen=True)
class PairedTestResult:
    """difference: first less second; low, high: its 95 % interval (None below two units, or not asked); p: two-sided.

    deviation: standard deviation of the difference between runs that are equally good.
    """

    difference: float
    low: float | None
    high: float | None
    p: float
    deviation: float


def paired_permutation_test(
    first: Sequence[SufficientStatistics],
    second: Sequence[SufficientStatistics],
    metric: str,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
    interval: bool = True,
) -> PairedTestResult:
    """The difference in one metric; parameters: see `all_paired_tests`. interval: False for the test alone."""
    both = _PairedRuns(first, second)
    both.require_metric(metric)
    with limit_blas_threads():
        return both.run_tests(permutations, seed, (metric,), interval)[metric]


def all_paired_tests(
    first: Sequence[SufficientStatistics],
    second: Sequence[SufficientStatistics],
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> dict[str, PairedTestResult]:
    """The difference in every metric of the task, its own first, from the same draws.

    p: units are swapped between the runs, whole, in all seeds at once, each with chance 1/2, and
    (1 + differences at least as large) / (1 + permutations) is returned, so that with one seed it is exact for two
    models that units treat alike. Of several seeds, what they differ in on all units alike is added to each swapped
    difference as Student's t of S - 1 degrees of freedom: two trainings of one recipe would else be told apart. (Where
    nothing differs, 3 to 8 % of p are then below 0.05 with three seeds, 4 to 7 % with five, by how much seeds matter.)
    The interval is that of `harness.metrics.intervals`, of the difference, from as many draws. A pure function.
    InputError when the lists do not fit each other or nothing counts.
    """
    both = _PairedRuns(first, second)
    with limit_blas_threads():
        return both.run_tests(permutations, seed, both.names)


def jackknife_influence(
    first: Sequence[SufficientStatistics], second: Sequence[SufficientStatistics], metric: str
) -> np.ndarray:
    """float64 [V]: the difference less what it is without that unit; positive where a unit speaks for the first."""
    both = _PairedRuns(first, second, many_in_groups=False)
    both.require_metric(metric)
    found = np.zeros(both.pooled.has_rows.shape)
    found[both.pooled.has_rows] = both.mean_differences()[metric] - both.seed_differences(both.pooled.leave_one_out())[
        metric
    ].mean(axis=0)
    return found


def holm_bonferroni(p: Sequence[float]) -> list[float]:
    """p-values adjusted for all of them being looked at (Holm 1979), in the order given."""
    p = np.asarray(p, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1)
    return adjusted.tolist()


def minimum_detectable_effect(deviation: float, level: float = 0.05, power: float = 0.8) -> float:
    """The true difference that a two-sided test at `level` finds with chance `power` (normal approximation)."""
    from scipy.special import ndtri

    return float((ndtri(1 - level / 2) + ndtri(power)) * deviation)


def is_underpowered(units: int, level: float = 0.05) -> bool:
    """Whether no difference on so many units can have a p of `level`: swapped all at once they differ as much."""
    return 2.0 ** (1 - units) > level


class _PairedRuns:
    """Statistics of both runs: sets 0 to S - 1 are the first's seeds, the others the second's."""

    def __init__(
        self, first: Sequence[SufficientStatistics], second: Sequence[SufficientStatistics], many_in_groups: bool = True
    ):
        if not first or len(first) != len(second):
            raise InputError(f"runs are compared seed by seed; got {len(first)} and {len(second)} seeds")
        self.seeds = len(first)
        self.pooled = PooledStatistics([*first, *second], many_in_groups)
        if not self.pooled.units:
            raise InputError("no unit has a row that counts in either run, so there is nothing to compare")
        self.names = tuple(self.mean_differences())

    def require_metric(self, metric: str) -> None:
        if metric not in self.names:
            raise unknown_name_error("metric", metric, self.names)

    def seed_differences(self, sums: np.ndarray) -> dict[str, np.ndarray]:
        """Sums [2 S, K, R] -> difference of each seed in each metric, [S, R]."""
        return {name: value[: self.seeds] - value[self.seeds :] for name, value in self.pooled.metrics(sums).items()}

    def mean_differences(self) -> dict[str, float]:
        return {name: float(value.mean()) for name, value in self.seed_differences(self.pooled.total()).items()}

    def run_tests(
        self, permutations: int, seed: int, names: Sequence[str], interval: bool = True
    ) -> dict[str, PairedTestResult]:
        values, without = self.seed_differences(self.pooled.total()), self.seed_differences(self.pooled.leave_one_out())
        flips = permutation_flips(self.pooled.shape[2], permutations, seed)
        parts = [self.seed_differences(self._permuted_sums(part)) for part in flips]
        chance = np.random.default_rng(seed).standard_t(max(self.seeds - 1, 1), permutations)
        ends, found = self._compute_intervals(names, permutations, seed) if interval else {}, {}
        for name in names:
            value, error = float(values[name].mean()), seed_standard_error(values[name][:, 0], without[name])
            swapped = np.concatenate([part[name].mean(axis=0) for part in parts])
            low, high = None, None
            if ends:
                ends_with_seeds = combine_errors(value, *ends[name], error, self.seeds, CONFIDENCE_LEVEL)
                low, high = clip_to_range(name, *ends_with_seeds, difference=True)
            found[name] = PairedTestResult(
                value,
                low,
                high,
                _p_value(value, swapped, error * chance),
                float(np.sqrt(np.mean(swapped**2) + error**2)),
            )
        return found

    def _compute_intervals(self, names: Sequence[str], replicates: int, seed: int) -> dict[str, tuple[float, float]]:
        """Intervals over units; none where there is only one."""
        if self.pooled.units < 2:
            return {}
        weights = np.repeat([1 / self.seeds, -1 / self.seeds], self.seeds)
        draws = bootstrap_weights(self.pooled.shape[2], replicates, seed)
        return studentized_interval(self.pooled, names, weights, draws, CONFIDENCE_LEVEL)

    def _permuted_sums(self, part: np.ndarray) -> np.ndarray:
        """Sums [2 S, K, r] of both runs when the units of `part` [r, V] have changed places."""
        own, other = self.pooled.rows[: self.seeds], self.pooled.rows[self.seeds :]
        apart = (other - own).reshape(-1, self.pooled.shape[2])
        moved = (apart @ part.T).reshape(self.seeds, -1, len(part))
        total = self.pooled.total()
        return np.concatenate([total[: self.seeds] + moved, total[self.seeds :] - moved])


def _p_value(observed: float, swapped: np.ndarray, luck: np.ndarray) -> float:
    """luck: of the seeds, for each swap; taken both ways, so that the order of the runs does not matter."""
    larger = [np.mean(np.abs(swapped + sign * luck) >= abs(observed) - TOLERANCE) for sign in (1, -1)]
    return float((1 + len(swapped) * np.mean(larger)) / (1 + len(swapped)))
