"""Runs of several stores on one tracking location: whose statistics give a tracked score."""

import shutil

import pytest

from harness.jobs.job_folder import JobFolder
from harness.leaderboard.boards import board_rows
from harness.tracking import open_tracker
from harness.utils.store import Store
from tests.helpers.job_statistics import keep


@pytest.fixture
def uri(tmp_path):
    return f"sqlite:///{tmp_path / 'shared.db'}"


def log(folder, uri, right, replace=False, **changes):
    """A store runs the same job, with its own score, and logs it."""
    store = Store(folder, uri)
    (job,) = keep(folder, "aaaa", right, seeds=(0,), **changes)
    tracker = open_tracker(store)
    tracker.log_record(job, store.job(job.job_id), tracker.start_study("r", "s"), replace)
    return job


def test_statistics_downloaded_before_a_job_was_run_again_are_replaced(tmp_path, uri):
    log(tmp_path / "first", uri, 0.6)
    here = Store(tmp_path / "here", uri)
    assert board_rows(here)[0].problems == []
    again = log(tmp_path / "second", uri, 0.4, replace=True)
    (row,) = board_rows(here)
    assert row.value == again.metrics["P_EXPR"] and row.problems == [] and row.rank == 1 and row.ci_low < row.value


def test_the_run_of_another_store_is_checked_with_its_own_statistics(tmp_path, uri):
    """Stores may run the same job with scores that differ by processor; the tracked one needs its own statistics."""
    log(tmp_path / "there", uri, 0.6)
    keep(tmp_path / "here", "aaaa", 0.4, seeds=(0,))
    here = Store(tmp_path / "here", uri)
    for _ in range(2):  # the second time with the downloaded statistics
        (row,) = board_rows(here)
        assert row.problems == [] and row.verified is False
    for path in tmp_path.rglob("*.npz"):
        if path != JobFolder(here.job("aaaa-s0")).statistics:
            path.unlink()
    (row,) = board_rows(here)
    assert row.rank is None and "artifacts/jobs/aaaa-s0/statistics.npz gives 0.4" in row.problems[0]


def test_a_tracked_score_that_no_statistics_give_is_a_problem(tmp_path, uri):
    log(tmp_path / "there", uri, 0.6, metrics={"P_EXPR": 0.99})
    shutil.copytree(tmp_path / "there" / "artifacts", tmp_path / "here" / "artifacts")
    for folder in ("here", "elsewhere"):
        (row,) = board_rows(Store(tmp_path / folder, uri))
        assert row.rank is None and "the recorded P_EXPR is 0.99" in row.problems[0]
