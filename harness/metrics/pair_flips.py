"""Studentized differences between two runs under sign flips; V is the number of units, B the number of draws."""

from __future__ import annotations

import numpy as np

from harness.metrics.power import FIRST_LEAD, POWER, ROUNDS
from harness.metrics.sign_flips import SeedDraws, Studentizer, critical_value, divide


class PairFlips:
    """Studentized differences between two runs, under sign flips of the units' contributions.

    Parameters
    ----------
    studentizer : Studentizer
    signs : ndarray of float64, shape (B, V)
        1 or -1.
    seed_error : float
        Standard error of the difference that is due to the seeds alone.
    seed_draws : SeedDraws
        Draws of that error; its arrays have the shape (1, B).
    """

    def __init__(self, studentizer: Studentizer, signs: np.ndarray, seed_error: float, seed_draws: SeedDraws) -> None:
        self.studentizer, self.signs, self.seed_error = studentizer, signs, seed_error
        self.seed_errors, self.seed_variances = seed_draws.errors[0], seed_draws.variances[0]

    def statistics(self, differences: np.ndarray, contributions: np.ndarray) -> np.ndarray:
        """Compute the absolute studentized difference for each flip.

        Parameters
        ----------
        differences : ndarray of float64, shape (B,)
            Difference for each flip.
        contributions : ndarray of float64, shape (V,)
            Contributions of the units, whose signs are flipped.

        Returns
        -------
        ndarray of float64, shape (B,)
        """
        # dividing by an estimated error gives the noise the distribution of Student's t
        noise = self.seed_error * divide(self.seed_errors, self.seed_variances)
        return np.abs(divide(differences + noise, self._variances(differences, contributions) + self.seed_error**2))

    def detectable(self, contributions: np.ndarray) -> float:
        """Compute the minimum difference that is found with 80% power.

        See `harness.metrics.power.step_down_detectable`.
        """
        residuals = self.studentizer.residuals(contributions)
        drawn = self.signs @ residuals
        errors = np.sqrt(self._variances(drawn, residuals) + self.seed_variances)
        lead = float(FIRST_LEAD * errors.mean())
        for _ in range(ROUNDS):
            leading = self.studentizer.with_sum(contributions, lead)
            limit = critical_value(self.statistics(self.signs @ leading, leading))
            lead = float(np.quantile(limit * errors - drawn - self.seed_errors, POWER))
        return lead

    def _variances(self, differences: np.ndarray, contributions: np.ndarray) -> np.ndarray:
        """Estimate the variance of each difference over units."""
        studentizer = self.studentizer
        products = self.signs @ (contributions * studentizer.shares * studentizer.weights)
        return studentizer.variance(differences, studentizer.inner_products(contributions, contributions), products)
