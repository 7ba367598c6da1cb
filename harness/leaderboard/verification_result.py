"""Result of verifying the jobs of a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.tracking.records import Record

ALTERED = "altered"
"""Flag of a row with an altered file, or with a score that does not follow from its statistics."""


@dataclass(frozen=True)
class Verification:
    """Result of verifying a run.

    Attributes
    ----------
    verified : bool
        Whether all jobs have hashes, no file was altered and each score follows from its statistics. Also False if this
        cannot be verified: an earlier version ran a job, or its files are not in this store.
    problems : tuple of str
        One sentence for each altered job: what was altered, and what to do.
    """

    verified: bool
    problems: tuple[str, ...] = ()


VerifyJobs = Callable[[Sequence[Record]], Verification]
"""Verifies the finished jobs of a configuration; see `harness.leaderboard.verification.RunVerifier`."""
