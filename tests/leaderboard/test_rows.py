import random
import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.leaderboard.render import FORMATS, render
from harness.leaderboard.rows import leaderboard_rows
from tests.helpers.records import CONTRACT_COLUMNS, record


def seeds(group, values, expected=None, **changes):
    expected = expected or tuple(range(len(values)))
    return [record(group=group, seed=s, value=v, expected_seeds=expected, **changes) for s, v in enumerate(values)]


def failed(group, seed, **changes):
    return record(group=group, seed=seed, status="failed", metrics={}, unsmoothed={}, error="out of memory", **changes)


def test_row_has_documented_fields_and_seed_statistics():
    [row] = leaderboard_rows(seeds("a", [0.4, 0.5, 0.7], ci_low=0.3, ci_high=0.8))
    assert row.as_dict().keys() >= CONTRACT_COLUMNS
    assert row.run_id == "a" and row.seeds == [0, 1, 2] and row.seeds_missing == []
    assert row.value == pytest.approx(1.6 / 3) and row.std == pytest.approx(statistics.stdev([0.4, 0.5, 0.7]))
    assert row.unsmoothed == pytest.approx(1.6 / 3 - 0.02)
    assert (row.ci_low, row.ci_high) == (pytest.approx(0.3), pytest.approx(0.8))
    assert row.metrics["accuracy"] == pytest.approx(0.6) and row.tied_with_best is None


def test_one_seed_has_no_standard_deviation_and_an_interval_needs_every_seed():
    assert leaderboard_rows(seeds("a", [0.4]))[0].std is None
    some = [record(seed=0, ci_low=0.1, ci_high=0.2), record(seed=1)]
    assert leaderboard_rows(some)[0].ci_low is None


def test_missing_seed_is_shown_whether_it_failed_or_never_ran():
    kept = seeds("a", [0.4, 0.5], expected=(0, 1, 2, 3)) + [failed("a", 3)]
    [row] = leaderboard_rows(kept)
    assert row.seeds == [0, 1] and row.seeds_missing == [2, 3] and row.value == pytest.approx(0.45)


def test_configuration_that_only_failed_is_last_and_has_no_rank():
    board = leaderboard_rows([failed("0", 0), *seeds("z", [0.1])])
    assert [(r.run_id, r.rank, r.value) for r in board] == [("z", 1, 0.1), ("0", None, None)]
    assert board[1].seeds_missing == [0] and board[1].kernel is None


def test_pruned_trial_has_no_row():
    assert leaderboard_rows([record(status="pruned", metrics={})]) == []


def test_ranks_are_by_value_then_run_id_equal_ones_shared_baselines_in_place_published_unranked():
    board = leaderboard_rows(
        [
            *seeds("b", [0.5]),
            *seeds("a", [0.5]),
            *seeds("c", [0.6], kind="baseline"),
            *seeds("p", [0.9], kind="published"),
            *seeds("d", [0.1]),
        ]
    )
    assert [(r.run_id, r.rank) for r in board] == [("c", 1), ("a", 2), ("b", 2), ("d", 4), ("p", None)]


def test_boards_are_kept_apart_by_task_data_split_and_protocol():
    mixed = [
        *seeds("a", [0.1]),
        *seeds("b", [0.2], data_digest="other"),
        *seeds("c", [0.3], split="test"),
        *seeds("d", [0.4], task="va", metric="P_VA", metrics={"P_VA": 0.4}),
        *seeds("e", [0.05], protocol="published"),
        *seeds("f", [0.02], dataset="another name"),
    ]
    board = leaderboard_rows(mixed)
    assert {r.run_id: r.rank for r in board} == {"a": 1, "b": 1, "c": 1, "d": 1, "e": 1, "f": 2}
    assert [r.run_id for r in leaderboard_rows(mixed, "va")] == ["d"]


def test_seeds_that_chose_different_smoothing():
    chosen = [("mean", 5), ("mean", 9), ("median", 30)]
    [row] = leaderboard_rows([record(seed=s, kernel=k, radius=r) for s, (k, r) in enumerate(chosen)])
    assert row.kernel == "mixed" and row.radius == 9
    [row] = leaderboard_rows([record(seed=s, radius=r) for s, r in enumerate([5, 10])])
    assert row.kernel == "mean" and row.radius == 7.5


def test_repeated_job_counts_once_and_its_finished_record_wins():
    first = record(seed=0, value=0.4, expected_seeds=(0, 1))
    board = leaderboard_rows(
        [first, failed("0123456789ab", 0), first, failed("0123456789ab", 1), record(seed=1, value=0.6)]
    )
    assert board[0].seeds == [0, 1] and board[0].value == pytest.approx(0.5) and board[0].seeds_missing == []


def test_metric_that_one_seed_lacks_is_not_averaged_over_fewer():
    pair = [record(seed=0, metrics={"P_EXPR": 0.5, "F1/Fear": 0.2}), record(seed=1, metrics={"P_EXPR": 0.5})]
    assert leaderboard_rows(pair)[0].metrics == {"P_EXPR": 0.5}


def test_undefined_metrics_of_any_seed_are_flagged():
    pair = [record(seed=0, undefined=("F1/Fear",)), record(seed=1, undefined=("F1/Anger",))]
    assert leaderboard_rows(pair)[0].undefined == ["F1/Anger", "F1/Fear"]


one = st.builds(
    record,
    group=st.sampled_from("abcd"),
    seed=st.integers(0, 3),
    value=st.floats(0, 1),
    radius=st.integers(0, 50),
    kernel=st.sampled_from(["none", "mean", "median"]),
    kind=st.sampled_from(["run", "baseline", "published"]),
    dataset=st.sampled_from(["x", "y"]),
    split=st.sampled_from(["validation", "test"]),
    data_digest=st.sampled_from(["", "d", "e"]),
    backbone=st.sampled_from(["", "tiny|resnet", "b" * 30]),
    backbone_random=st.booleans(),
    undefined=st.sampled_from([(), ("F1/Fear",)]),
    status=st.sampled_from(["finished", "failed", "pruned"]),
    protocol=st.sampled_from(["held-out", "published"]),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(one, max_size=12), st.randoms())
def test_formats_do_not_depend_on_record_order(records, rng: random.Random):
    shuffled = records + rng.sample(records, len(records) // 2)
    rng.shuffle(shuffled)
    for form in FORMATS:
        assert render(leaderboard_rows(records), form) == render(leaderboard_rows(shuffled), form)
