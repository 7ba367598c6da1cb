"""Null distribution of studentized differences between the rows of a board, by random sign flips.

A row is one configuration. The difference between two rows is nearly the sum of one contribution of each unit; see
`harness.metrics.contributions`. If the two rows are equally good, each unit is as likely to favor one row as the other,
so the sign of its contribution can be flipped at random. The contributions of a unit to all rows are flipped together,
which preserves the weight of the unit and the dependence between rows.

A difference is divided by its standard error, which is estimated again after each flip. Otherwise a row that differs
much from the other rows would be tested with the standard errors of those rows. R is the number of rows, V the number
of units, and B the number of draws of random signs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.metrics.contributions import RowScores
from harness.metrics.resampling import permutation_flips

SIGNIFICANCE_LEVEL = 0.05
"""A difference is significant if its p-value is at most this."""
TOLERANCE = 1e-9
"""Statistics with a smaller relative difference are considered equal, since the difference is due to rounding."""
FLOOR = 1e-12
"""Lower limit of a variance, as a share of the sum of squares that it was computed from."""


@dataclass(frozen=True, eq=False)
class SeedDraws:
    """Simulated errors of the mean scores of rows that are due to their seeds.

    Attributes
    ----------
    errors : ndarray of float64, shape (R, B)
        Draws of the error of the mean over seeds.
    variances : ndarray of float64, shape (R, B)
        Estimates of the variance of these errors, from the simulated seeds alone.
    """

    errors: np.ndarray
    variances: np.ndarray


def draw_seed_errors(standard_errors: np.ndarray, seeds: list[int], draws: int, seed: int) -> SeedDraws:
    """Simulate normally distributed errors of each row's seeds.

    A row gets as many simulated seeds in each draw as it has real seeds. Few seeds thus give the heavy tails of
    Student's t.

    Parameters
    ----------
    standard_errors : ndarray of float64, shape (R,)
        See `RowScores.seed_errors`.
    seeds : list of int
        Number of seeds, or of groups of seeds, of each row.
    draws : int
        Number of draws, B.
    seed : int
        Seed of the draws.

    Returns
    -------
    SeedDraws
        Its arrays are 0 for rows whose standard error is 0.
    """
    random = np.random.default_rng([seed, 1])
    errors = np.zeros((len(seeds), draws))
    variances = np.zeros((len(seeds), draws))
    for i in np.flatnonzero(standard_errors):
        simulated = standard_errors[i] * np.sqrt(seeds[i]) * random.standard_normal((seeds[i], draws))
        errors[i], variances[i] = simulated.mean(axis=0), simulated.var(axis=0, ddof=1) / seeds[i]
    return SeedDraws(errors, variances)


class Studentizer:
    """Standard errors of sums of contributions.

    A unit's residual is its contribution minus its share of the sum of all contributions. The residual has a smaller
    variance than the contribution. For a unit with the share w, the factor is ``1 - 2 w + sum(w ** 2)``, with the sum
    over all units, if the standard deviations of contributions are proportional to the shares. Squared residuals are
    divided by this factor. With equal shares, this is the usual multiplication by ``V / (V - 1)``.

    Parameters
    ----------
    shares : ndarray of float64, shape (V,)
        Share of each unit in a difference; see `RowScores.shares`.

    Attributes
    ----------
    weights : ndarray of float64, shape (V,)
        Reciprocals of these factors.
    """

    def __init__(self, shares: np.ndarray) -> None:
        self.shares = shares
        self.weights = 1 / np.maximum(1 - 2 * shares + np.sum(shares**2), FLOOR)

    def with_sum(self, contributions: np.ndarray, total: float) -> np.ndarray:
        """Change contributions so that their sum is `total`; each unit takes its share of the change."""
        return contributions + (total - contributions.sum(axis=-1, keepdims=True)) * self.shares

    def residuals(self, contributions: np.ndarray) -> np.ndarray:
        """Compute the residuals of contributions, scaled to the variance of the contributions."""
        return self.with_sum(contributions, 0) * np.sqrt(self.weights)

    def inner_products(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Compute inner products of contributions over units, weighted by `weights`.

        Sign flips do not change the inner product of a row's contributions with themselves.
        """
        return np.sum(first * second * self.weights, axis=-1)

    def variance(self, differences: np.ndarray, squares: np.ndarray, products: np.ndarray) -> np.ndarray:
        """Estimate the variance of differences as the weighted sum of the squares of their residuals.

        Parameters
        ----------
        differences : ndarray of float64
            Sums of contributions.
        squares, products : ndarray of float64
            Weighted inner products of the contributions with themselves and with the shares.

        Returns
        -------
        ndarray of float64
        """
        spread = self.inner_products(self.shares, self.shares)
        variances = squares - 2 * differences * products + differences**2 * spread
        return np.maximum(variances, FLOOR * (squares + differences**2))

    def variance_of(self, contributions: np.ndarray, differences: np.ndarray | None = None) -> np.ndarray:
        """Estimate the variance of the sums of contributions, or of `differences` in place of the sums."""
        sums = contributions.sum(axis=-1) if differences is None else differences
        squares = self.inner_products(contributions, contributions)
        return self.variance(sums, squares, self.inner_products(contributions, self.shares))


def divide(differences: np.ndarray, variances: np.ndarray) -> np.ndarray:
    """Divide differences by their standard errors; 0 where the variance is 0."""
    differences, variances = np.broadcast_arrays(differences, variances)
    return np.divide(differences, np.sqrt(variances), out=np.zeros(differences.shape), where=variances > 0)


def flip_sums(values: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Sum values over units with randomly flipped signs.

    Parameters
    ----------
    values : ndarray of float64, shape (n, V)
        In each draw, the same units are flipped for all n rows.
    draws : int
        Number of draws, B.
    seed : int
        Seed of the draws.

    Returns
    -------
    ndarray of float64, shape (n, B)
    """
    parts = [values @ (1 - 2 * flips).T for flips in permutation_flips(values.shape[1], draws, seed)]
    return np.concatenate(parts, axis=1)


def p_values(statistics: np.ndarray, null: np.ndarray) -> np.ndarray:
    """Compute p-values: ``(1 + number of draws at least as large) / (1 + B)``.

    Parameters
    ----------
    statistics : ndarray of float64
        The observed statistics.
    null : ndarray of float64, shape (B,)
        Draws of the statistic if there is no difference.

    Returns
    -------
    ndarray of float64
        In (0, 1].
    """
    ordered = np.sort(null)
    smaller = np.searchsorted(ordered, statistics * (1 - TOLERANCE), side="left")
    return (1 + len(ordered) - smaller) / (1 + len(ordered))


def critical_value(null: np.ndarray) -> float:
    """Return the value that a statistic must exceed for a p-value of at most 5%; infinity if there are too few draws.

    Examples
    --------
    >>> null = np.arange(99.0)
    >>> critical_value(null), p_values(np.array([94.5, 94.0]), null).tolist()
    (94.0, [0.05, 0.06])
    """
    allowed = int(np.floor(SIGNIFICANCE_LEVEL * (1 + len(null)) + TOLERANCE)) - 1
    return float(np.sort(null)[-1 - allowed]) if allowed >= 0 else np.inf


class RowFlips:
    """Scores of rows under sign flips of their contributions.

    Parameters
    ----------
    scores : RowScores
    metric : str
    draws : int
        Number of draws, B.
    seed : int
        Seed of the draws.
    """

    def __init__(self, scores: RowScores, metric: str, draws: int, seed: int) -> None:
        self.scores, self.metric, self.draws, self.seed = scores, metric, draws, seed
        self.studentizer = Studentizer(scores.shares(metric))
        self.seed_errors = scores.seed_errors(metric)
        self.seed_draws = draw_seed_errors(self.seed_errors, scores.repetitions, draws, seed)

    def sums(self, contributions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Flip the signs of contributions, and sum them over units.

        Parameters
        ----------
        contributions : ndarray of float64, shape (r, V)
            Contributions to r rows.

        Returns
        -------
        sums, products : ndarray of float64, shape (r, B)
            Sums over units, and weighted inner products with the shares.
        squares : ndarray of float64, shape (r, r)
            For each pair of rows: the weighted inner product of their difference with itself.
        """
        shares, weights = self.studentizer.shares, self.studentizer.weights
        stacked = np.concatenate([contributions, contributions * shares * weights])
        sums, products = np.split(flip_sums(stacked, self.draws, self.seed), 2)
        inner = (contributions * weights) @ contributions.T
        squares = np.maximum(np.diag(inner)[:, None] + np.diag(inner) - 2 * inner, 0)
        return sums, products, squares

    def against(
        self, best: np.ndarray | int, flipped: tuple[np.ndarray, np.ndarray, np.ndarray], rows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Compute the differences between the best row and all rows in each draw, and the variances of the differences.

        Parameters
        ----------
        best : int or ndarray of int, shape (B,)
            Position of the best row in `rows`: the same for all draws, or one for each draw.
        flipped : tuple of ndarray
            The result of `sums`.
        rows : ndarray of int, shape (r,)
            Positions of the r rows among all rows.

        Returns
        -------
        differences, variances : ndarray of float64, shape (r, B)
        """
        sums, products, squares = flipped
        draw, best = np.arange(self.draws), np.broadcast_to(best, self.draws)
        variances = self.studentizer.variance(sums[best, draw] - sums, squares[best].T, products[best, draw] - products)
        seed_variances, totals = self.seed_draws.variances[rows], sums + self.seed_draws.errors[rows]
        return totals[best, draw] - totals, variances + seed_variances + seed_variances[best, draw]

    def largest(self, flipped: tuple[np.ndarray, np.ndarray, np.ndarray], rows: np.ndarray) -> np.ndarray:
        """For each draw, compute the largest studentized difference between its best row and another row."""
        best = (flipped[0] + self.seed_draws.errors[rows]).argmax(axis=0)
        return divide(*self.against(best, flipped, rows)).max(axis=0)
