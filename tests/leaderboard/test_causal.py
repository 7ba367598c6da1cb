"""Causal cost, computed from records and statistics only."""

import dataclasses

import pytest

from harness.jobs.job_folder import STATISTICS
from harness.leaderboard.causal import causal_rows
from harness.leaderboard.causal_text import render_causal
from harness.leaderboard.significance import SignificanceCache
from harness.utils.store import Store
from tests.helpers.job_statistics import keep


@pytest.fixture
def replayed(tmp_path):
    """Records of two runs in a store, and their replays: one a little worse, one the same."""
    jobs = [*keep(tmp_path, "wins", 0.5, radius=12), *keep(tmp_path, "other", 0.4, kernel="median")]
    live = [
        *keep(tmp_path / "live", "winslive", 0.45, kernel="trailing_median", radius=9),
        *keep(tmp_path / "live", "otherlive", 0.4, kernel="exponential", radius=4),
    ]
    return jobs, {job.job_id: one for job, one in zip(jobs, live)}


def evidence(folder, replayed):
    return SignificanceCache(
        Store(folder),
        paths={one.job_id: folder / "live/artifacts/jobs" / one.job_id / STATISTICS for one in replayed.values()},
    )


def test_causal_cost_is_paired(replayed, tmp_path):
    jobs, live = replayed
    first, second = causal_rows(jobs, live, significance=evidence(tmp_path, live))
    assert (first.run_id, first.kernel, first.radius) == ("wins", "trailing_median", 9)
    assert first.price == pytest.approx(first.offline - first.value) and first.price > 0
    assert first.price_low < first.price < first.price_high and first.price_p < 0.05
    assert first.ci_low < first.value < first.ci_high
    assert (first.delay, first.delay_ms, first.look_ahead) == (4.5, pytest.approx(150), 12)
    assert (second.price, second.price_p, second.delay) == (0, 1, 2)
    assert (first.rank, second.rank) == (1, 2)


def test_cost_without_statistics_has_no_interval(replayed):
    row, _ = causal_rows(*replayed)
    assert row.price > 0 and row.price_low is row.price_high is row.price_p is None
    assert "drop" in render_causal([row])


def test_unreplayed_seeds_are_excluded(replayed, tmp_path):
    jobs, live = replayed
    del live["wins-s2"], live["other-s0"], live["other-s1"], live["other-s2"]
    (row,) = causal_rows(jobs, live, significance=evidence(tmp_path, live))
    assert row.seeds == [0, 1] and row.price == pytest.approx(row.offline - row.value)
    assert row.offline == pytest.approx(sum(job.metrics["P_EXPR"] for job in jobs[:2]) / 2)
    text = render_causal([row])
    assert "Median drop of 1 run:" in text


def test_two_runs_of_one_training_share_their_replay(replayed, tmp_path):
    """They differ in what the offline filter could be, which a camera does not have."""
    jobs, live = replayed
    twins = keep(tmp_path, "twin", 0.48)
    live |= {twin.job_id: live[f"wins-s{twin.seed}"] for twin in twins}
    rows = {row.run_id: row for row in causal_rows([*jobs, *twins], live, significance=evidence(tmp_path, live))}
    assert rows["twin"].value == rows["wins"].value and rows["twin"].rank == rows["wins"].rank == 1
    assert rows["twin"].price < rows["wins"].price


def test_mixed_kernels_are_noted(replayed):
    jobs, live = replayed
    live["wins-s0"] = dataclasses.replace(live["wins-s0"], kernel="trailing_mean", radius=1)
    row = causal_rows(jobs, live)[0]
    assert row.kernel == "mixed" and row.radius == 9 and row.delay == 4.5
    assert "mixed" in render_causal([row])


@pytest.mark.parametrize("width", [60, 80, 100, 140, 200])
def test_table_fits_and_has_the_cost(replayed, tmp_path, width):
    jobs, live = replayed
    text = render_causal(causal_rows(jobs, live, significance=evidence(tmp_path, live)), width=width)
    assert all(len(line) <= width for line in text.splitlines())
    assert "offline" in text and "drop" in text and ("150" in text or width == 60) and "assumed" in text


def test_no_rows_give_empty_text():
    assert render_causal([]) == "\n" and render_causal([], "json") == "[]\n"
