"""Which run is the champion of its leaderboard."""

import dataclasses

import pytest

from harness.export.registry.champion import reason_not_champion
from harness.leaderboard.rows import leaderboard_rows
from harness.leaderboard.significance import SignificanceCache
from harness.utils.store import Store
from tests.helpers.job_statistics import VIDEOS, keep
from tests.helpers.records import record


def said(store, own, *others, **changes):
    jobs = [dataclasses.replace(job, **changes) for group in (own, *others) for job in group]
    return reason_not_champion(jobs[0], leaderboard_rows(jobs, "expr", SignificanceCache(Store(store))))


def test_single_or_significantly_better_run_is_champion(tmp_path):
    best, worse = keep(tmp_path, "best", 0.7), keep(tmp_path, "worse", 0.4)
    assert said(tmp_path, best) == "" and said(tmp_path, best, worse) == ""


def test_worse_run_is_not_champion(tmp_path):
    best, worse = keep(tmp_path, "best", 0.7), keep(tmp_path, "worse", 0.4)
    why = said(tmp_path, worse, best)
    assert why.startswith("the best run of its leaderboard is run best with P_EXPR 0.") and "significantly" not in why


def test_tied_runs_are_not_champions(tmp_path):
    first, second = keep(tmp_path, "first", 0.6), keep(tmp_path, "second", 0.6, same=True)
    ahead, behind = sorted((first, second), key=lambda jobs: -leaderboard_rows(jobs, "expr", None)[0].value)
    name, other = ahead[0].group_id, behind[0].group_id
    assert (
        said(tmp_path, ahead, behind) == f"it leads its leaderboard but is not significantly different from run {other}"
    )
    assert f"is run {name} with" in (why := said(tmp_path, behind, ahead)) and why.endswith(
        "(not significantly different)"
    )


def test_tie_with_baseline(tmp_path):
    own, baseline = keep(tmp_path, "own", 0.6), keep(tmp_path, "base", 0.599, kind="baseline")
    if leaderboard_rows([*own, *baseline], "expr", None)[0].kind == "baseline":
        pytest.fail("the run is meant to lead")
    assert said(tmp_path, own, baseline).endswith("not significantly different from baseline base")


def test_lead_without_test_is_not_sufficient(tmp_path):
    own = keep(tmp_path, "own", 0.7)
    unkept = [record(group="unkept", seed=seed, value=0.2, expected_seeds=(0, 1, 2)) for seed in range(3)]
    assert said(tmp_path, own, unkept).endswith("no paired test is possible with run unkept")


def test_label_baselines_and_other_boards_are_ignored(tmp_path):
    own, reads = keep(tmp_path, "own", 0.5), keep(tmp_path, "reads", 0.9, kind="baseline", flags=("uses_labels",))
    elsewhere = keep(tmp_path, "elsewhere", 0.8, data_digest="another")
    published = keep(tmp_path, "published", 0.9, protocol="published")
    assert said(tmp_path, own, reads, elsewhere, published) == ""


@pytest.mark.parametrize(
    "changes, match",
    [
        ({"protocol": "published"}, "selects on the labels that it is scored on"),
        ({"kind": "baseline"}, "is a baseline"),
    ],
)
def test_baselines_and_optimistic_runs_are_never_champions(tmp_path, changes, match):
    assert match in said(tmp_path, keep(tmp_path, "own", 0.7), **changes)


def test_untracked_run_is_on_no_board(tmp_path):
    [other] = keep(tmp_path, "other", 0.7, seeds=(0,), videos=VIDEOS)
    listed = leaderboard_rows([other], "expr", SignificanceCache(Store(tmp_path)))
    assert reason_not_champion(record(group="unknown"), listed) == "its run is not on a leaderboard of this store"
