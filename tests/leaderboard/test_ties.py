"""Ranks, ties and intervals from the statistics of jobs."""

import json

import pytest

from harness.jobs.job_folder import JobFolder
from harness.jobs.job_statistics import load
from harness.leaderboard.ranking import rank_rows
from harness.leaderboard.render import render
from harness.leaderboard.rows import leaderboard_rows
from harness.leaderboard.significance import SignificanceCache
from harness.leaderboard.table import INTERVAL_METHODS
from harness.metrics.intervals import confidence_interval
from harness.utils.store import Store
from tests.helpers.job_statistics import VIDEOS, keep
from tests.helpers.records import record


@pytest.fixture
def store(tmp_path):
    return tmp_path


def board(store, *groups):
    return leaderboard_rows([job for group in groups for job in group], significance=SignificanceCache(Store(store)))


def test_ranks_are_the_order_of_scores_and_ties_are_marked(store):
    best, twin, poor = keep(store, "best", 0.6), keep(store, "twin", 0.598), keep(store, "poor", 0.3)
    listed = board(store, best, twin, poor, keep(store, "last", 0.1))
    assert [row.run_id for row in listed[2:]] == ["poor", "last"]
    assert [(row.rank, row.tied_with_best) for row in listed] == [(1, True), (2, True), (3, False), (4, False)]
    assert listed[0].p_value is None and listed[1].p_value >= 0.05 > listed[2].p_value
    assert all(row.detectable > 0 for row in listed[1:]) and listed[0].detectable is None


def test_lower_score_never_has_a_better_rank(store):
    groups = [keep(store, f"run{i}", 0.6 - 0.01 * i, seeds=(0,) if i % 2 else (0, 1, 2)) for i in range(8)]
    listed = board(store, *groups, keep(store, "copy", 0.6))
    assert {row.tied_with_best for row in listed} == {True, False}
    assert [row.value for row in listed] == sorted((row.value for row in listed), reverse=True)
    for row, following in zip(listed, listed[1:]):
        assert (row.rank == following.rank) if row.value == following.value else (row.rank < following.rank)


def test_board_and_comparison_of_two_runs_do_not_contradict_each_other(store):
    names = dict(zip("abcdefgh", (0.6, 0.59, 0.58, 0.57, 0.56, 0.55, 0.54, 0.5)))
    groups = {name: keep(store, name, right) for name, right in names.items()}
    listed = board(store, *groups.values())
    asked = SignificanceCache(Store(store))
    pairs = [asked.difference(groups[row.run_id], groups[listed[0].run_id]) for row in listed[1:]]
    assert all(row.p_value >= pair.p for row, pair in zip(listed[1:], pairs))
    assert any(row.p_value > pair.p for row, pair in zip(listed[1:], pairs)), "adjusted for the number of rows"
    assert {row.tied_with_best for row in listed} == {True, False}
    assert all(row.detectable >= pair.detectable for row, pair in zip(listed[1:], pairs))


def test_luck_of_the_best_is_noted(store):
    groups = [keep(store, f"run{i}", 0.6) for i in range(5)]
    listed = board(store, *groups, keep(store, "oracle", 0.9, kind="baseline", flags=("uses_labels",)))
    assert {(row.configurations, row.expected_luck) for row in listed[:5]} == {(5, listed[0].expected_luck)}
    assert listed[5].configurations is listed[5].expected_luck is None and 0.002 < listed[0].expected_luck < 0.05
    note = (
        "5 configurations, without baselines, scored on this split: if all were equally good, the best would still be "
        f"{listed[0].expected_luck:.3f} above their mean, by luck"
    )
    assert note in " ".join(render(listed).split())
    assert json.loads(render(listed, "json"))[0]["expected_luck"] == round(listed[0].expected_luck, 6)
    assert "by luck" not in render(board(store, groups[0]))


def test_baselines_add_nothing_to_the_luck_of_the_best(store):
    """Nobody chooses a baseline, and poor ones would inflate the expected lead over the mean."""
    runs = [keep(store, f"run{i}", 0.6) for i in range(3)]
    baselines = [keep(store, f"base{i}", right, kind="baseline") for i, right in enumerate((0.1, 0.3, 0.5))]
    alone, together = board(store, *runs), board(store, *runs, *baselines)
    assert {row.configurations for row in together} == {3}
    assert together[0].expected_luck == pytest.approx(alone[0].expected_luck, rel=0.05)
    with_one = board(store, runs[0], *baselines)
    assert with_one[0].configurations == 1 and with_one[0].expected_luck is None and with_one[1].p_value is not None


def test_interval_is_of_the_mean_over_seeds_and_not_the_mean_of_their_intervals(store):
    [row] = board(store, keep(store, "a", 0.6, ci_low=0.0, ci_high=1.0))
    assert 0.1 < row.ci_low < row.value < row.ci_high < 0.9


def test_interval_method_and_correction_are_shown(store):
    jobs = keep(store, "a", 0.6)
    [row] = board(store, jobs)
    made = confidence_interval([load(JobFolder(Store(store).job(job.job_id)).statistics)[1] for job in jobs], "P_EXPR")
    assert (row.ci_low, row.ci_high, row.corrected, row.ci_method) == (made.low, made.high, made.corrected, "jackknife")
    assert f"95% CI: {INTERVAL_METHODS['jackknife'].format(units='videos')}" in render([row])
    wide, narrow = (render([row], width=width) for width in (140, 60))
    assert "corrected  95% CI" in wide and f"{row.corrected:.3f}" in wide and "corrected  95% CI" not in narrow
    assert json.loads(render([row], "json"))[0]["corrected"] == pytest.approx(made.corrected, abs=1e-6)


def test_classes_on_few_videos_are_named_below_the_board(store):
    [row] = board(store, keep(store, "a", 0.6))
    assert row.few_units == {}
    row.few_units = {"F1/Fear": 2.24, "F1/Anger": 0.0}
    assert "labels from fewer than 6 effective videos: Anger 0.0, Fear 2.2" in render([row])
    assert json.loads(render([row], "json"))[0]["few_units"] == {"F1/Fear": 2.24, "F1/Anger": 0.0}
    assert "F1/Fear=2.24 F1/Anger=0.0" in render([row], "csv")


def test_no_ties_without_statistics(store):
    listed = board(store, [record(group="a", value=0.5, ci_low=0.4, ci_high=0.6)], [record(group="b", value=0.4)])
    assert [row.rank for row in listed] == [1, 2]
    assert all(row.tied_with_best is row.p_value is None for row in listed)
    assert (listed[0].ci_low, listed[0].ci_high, listed[0].ci_method) == (0.4, 0.6, "records")
    assert listed[1].ci_method is None


def test_a_leader_without_statistics_is_marked_and_removes_no_test(store):
    mine, poor = keep(store, "mine", 0.6), keep(store, "poor", 0.2)
    tests = [(row.tied_with_best, row.p_value, row.untested) for row in board(store, mine, poor)]
    listed = board(store, [record(group="stranger", value=0.99)], mine, poor)
    assert [(row.run_id, row.rank, row.untested) for row in listed][0] == ("stranger", 1, True)
    assert listed[0].tied_with_best is listed[0].p_value is None
    assert [(row.tied_with_best, row.p_value, row.untested) for row in listed[1:]] == tests and tests[1][0] is False
    text = " ".join(render(listed).split())
    assert "1 n" in text and "the score of stranger could not be verified: its statistics are missing" in text


def test_run_alone_is_tied_with_itself(store):
    assert board(store, keep(store, "a", 0.6))[0].tied_with_best is True


def test_label_baseline_is_unranked(store):
    oracle = keep(store, "oracle", 0.95, kind="baseline", flags=("uses_labels",))
    listed = board(store, oracle, keep(store, "a", 0.6), keep(store, "b", 0.2))
    assert [(row.run_id, row.rank) for row in listed] == [("a", 1), ("b", 2), ("oracle", None)]
    assert listed[2].tied_with_best is None and listed[0].tied_with_best is True
    text = " ".join(render(listed).split())
    assert "- l" in text and "l: oracle, uses the labels of the reported split, not ranked" in text


def test_oracles_stand_apart_below_a_rule(store):
    oracle = keep(store, "oracle", 0.95, kind="baseline", flags=("uses_labels",))
    listed = board(store, oracle, keep(store, "a", 0.6), keep(store, "failed", 0.2))
    listed[1].value = listed[1].rank = None
    listed = rank_rows(listed, None)
    assert [row.run_id for row in listed] == ["a", "failed", "oracle"], "last, even below rows without a value"
    lines = render(listed).splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("- l"))
    assert set(lines[at - 1]) == set(lines[at + 1]) == {"-"} and "failed" in lines[at - 2]
    markdown = render(listed, "md")
    title = "Oracles, which use the labels of the reported split:"
    assert markdown.count("| rank |") == 2 and markdown.index("failed") < markdown.index(title) < markdown.index("- l")
    assert [row["oracle"] for row in json.loads(render(listed, "json"))] == [False, False, True]
    header, *rows = render(listed, "csv").splitlines()
    place = header.split(",").index("oracle")
    assert [row.split(",")[place] for row in rows] == ["false", "false", "true"]


def test_board_of_an_oracle_alone_has_one_rule_above_it(store):
    listed = board(store, keep(store, "oracle", 0.95, kind="baseline", flags=("uses_labels",)))
    lines = render(listed).splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("- l"))
    assert set(lines[at - 1]) == {"-"} and lines[at - 2].startswith("rank")


def test_untested_row_is_marked(store):
    listed = board(store, keep(store, "best", 0.6), keep(store, "poor", 0.2), keep(store, "other", 0.5, scored=1))
    assert [(row.run_id, row.tied_with_best, row.untested) for row in listed] == [
        ("best", True, False),
        ("other", None, True),
        ("poor", False, False),
    ]
    text = " ".join(render(listed).split())
    assert "2 n" in text and "n: not tested against the best (scored on different frames" in text


def test_leaking_features_are_marked(store):
    listed = board(store, keep(store, "a", 0.6, flags=("own_scores",)), keep(store, "b", 0.2))
    text = render(listed)
    assert "1 s" in text and "s: features include the backbone's own predictions of the target" in text
    assert json.loads(render(listed, "json"))[0]["flags"] == ["own_scores"]


def test_table_marks_ties_and_detectable_difference(store):
    text = render(board(store, keep(store, "best", 0.6), keep(store, "twin", 0.598), keep(store, "poor", 0.3)))
    lines = text.splitlines()
    assert sum(line.startswith("2 =") for line in lines) == 1 and sum(line.startswith("3  ") for line in lines) == 1
    said = " ".join(text.split())
    assert f"minimum detectable difference with {len(VIDEOS)} videos (80% power): " in said
    assert "(median of 2 runs)" in said
    assert (
        "= not significantly different from the best (permutation test over videos of all rows together, alpha 0.05)"
        in said
    )


@pytest.mark.parametrize("videos, able", [(1, False), (5, False), (7, True)])
def test_few_videos_cannot_be_significant(store, videos, able):
    listed = board(
        store, keep(store, "best", 0.9, videos=VIDEOS[:videos]), keep(store, "poor", 0.1, videos=VIDEOS[:videos])
    )
    assert (listed[1].detectable is not None) == able and listed[1].tied_with_best is not able
    none = f"with {'1 video' if videos == 1 else f'{videos} videos'} no difference to the best can be significant"
    assert (none in render(listed)) == (not able)


@pytest.mark.parametrize("form", ["csv", "json", "md"])
def test_json_has_p_value_and_detectable_difference(store, form):
    text = render(board(store, keep(store, "best", 0.6), keep(store, "poor", 0.3)), form)
    assert ("p_value" in text and "detectable" in text) if form != "md" else "| p-value |" in text


def test_protocols_have_separate_boards(store):
    listed = board(store, keep(store, "a", 0.6, protocol="published"), keep(store, "b", 0.3), keep(store, "c", 0.1))
    assert [(row.run_id, row.rank) for row in listed] == [("b", 1), ("c", 2), ("a", 1)]


def test_equally_good_runs_are_all_tied(store):
    listed = board(store, *(keep(store, f"equal{i}", 0.5 + i * 1e-3) for i in range(8)))
    assert [row.rank for row in listed] == [*range(1, 9)] and all(row.tied_with_best for row in listed)
