"""Classes with few labels are named under a board and by `show`, with the score of the others beside the metric."""

import csv
import io
import json

import numpy as np
import pytest

from harness.leaderboard.render import render
from harness.leaderboard.rows import leaderboard_rows
from harness.leaderboard.run_summary import summarize_run
from harness.leaderboard.run_summary_text import format_run
from harness.leaderboard.significance import SignificanceCache
from harness.metrics.pooled_scores import score
from harness.metrics.unit_statistics import SufficientStatistics
from harness.utils.store import Store
from tests.helpers.exported_runs import track
from tests.helpers.job_statistics import counts
from tests.helpers.records import record
from tests.helpers.tracked_stores import put

UNITS = tuple(f"video{i:02}" for i in range(8))


def statistics(right, seed=0, fear=4, other=0):
    """Statistics in which Fear and Other have few labels, of which `right` are found."""
    confusion = counts(right, seed, UNITS)
    confusion[:, [3, 7]] = 0
    confusion[:fear, 3, 3] = 1
    confusion[:other, 7, 0] = 1
    return SufficientStatistics("expr", {"expr": confusion})


def keep(store, group, right, seeds=(0, 1), **labels):
    found = [statistics(right, seed, **labels) for seed in seeds]
    return [put(store, group, seed, one, UNITS, expected_seeds=seeds) for seed, one in zip(seeds, found)], found


def board(store, *groups):
    return leaderboard_rows([job for group in groups for job in group], significance=SignificanceCache(Store(store)))


def mean_without(found, *classes):
    values = [score(one).metrics for one in found]
    return np.mean([[v for k, v in one.items() if k.startswith("F1/") and k[3:] not in classes] for one in values])


@pytest.fixture
def rows(tmp_path):
    (first, _), (second, _) = keep(tmp_path, "aaaaaa", 0.7), keep(tmp_path, "bbbbbb", 0.4)
    return board(tmp_path, first, second, [record(group="lost", value=0.1)])


def test_score_without_rare_classes_stands_beside_the_metric(tmp_path):
    jobs, found = keep(tmp_path, "aaaaaa", 0.7)
    [row] = board(tmp_path, jobs)
    assert row.rare_classes == {"F1/Fear": 4, "F1/Other": 0}
    assert row.without_rare == pytest.approx(mean_without(found, "Fear", "Other"), abs=1e-12)
    assert abs(row.without_rare - row.value) > 0.01


def test_every_format_has_it(rows):
    text = " ".join(render(rows).split())
    first = rows[0]
    assert "P_EXPR without rare" in text and f"{first.value:.3f} ± {first.std:.3f} {first.without_rare:.3f}" in text
    assert "fewer than 10 labels: Other 0, Fear 4" in text
    assert "without rare: score without classes of fewer than 10 labels" in text
    narrow = render(rows, width=60)
    assert "without rare" not in narrow and "Other 0, Fear 4" in narrow
    listed = list(csv.DictReader(io.StringIO(render(rows, "csv"))))
    assert listed[0]["without_rare"] == f"{rows[0].without_rare:.6f}" and listed[2]["without_rare"] == ""
    assert listed[0]["rare_classes"] == "F1/Fear=4 F1/Other=0"
    first, _, lost = json.loads(render(rows, "json"))
    assert first["without_rare"] == round(rows[0].without_rare, 6) and first["rare_classes"] == rows[0].rare_classes
    assert lost["without_rare"] is None and lost["rare_classes"] == {}
    assert "| P_EXPR | without rare |" in render(rows, "md") and "Other 0, Fear 4" in render(rows, "md")


def test_it_gives_way_after_the_p_value(rows):
    """A table of usual width has it, without the columns that are less about the score."""
    heading = next(line for line in render(rows, width=100).splitlines() if line.startswith("rank"))
    assert "without rare" in heading and "params" not in heading and "p-value" not in heading


def test_boards_without_rare_classes_stay_as_they_were(tmp_path):
    jobs, _ = keep(tmp_path, "aaaaaa", 0.7, fear=0)
    confusion = counts(0.7, 0, UNITS)
    common = [put(tmp_path, "common", 0, SufficientStatistics("expr", {"expr": confusion}), UNITS, data_digest="other")]
    rows = board(tmp_path, jobs, common)
    row = next(row for row in rows if row.run_id == "common")
    assert row.rare_classes == {} and row.without_rare is None
    text = render([row])
    assert "without rare" not in text and "labels:" not in text and "without rare" not in render([row], "md")


def test_a_class_that_is_rare_in_one_row_is_left_out_in_all(tmp_path):
    """Rows scored on other frames may have another number of labels."""
    (first, found), (second, others) = keep(tmp_path, "aaaaaa", 0.7, other=8), keep(tmp_path, "bbbbbb", 0.4, other=8)
    for path in (tmp_path / "artifacts" / "jobs").glob("bbbbbb*/statistics.npz"):
        arrays = dict(np.load(path))
        arrays["expr"][:, 7, 0] += 1
        np.savez_compressed(path, **arrays)
    rows = board(tmp_path, first, second)
    assert [list(row.rare_classes) for row in rows] == [["F1/Fear", "F1/Other"], ["F1/Fear"]]
    assert rows[0].without_rare == pytest.approx(mean_without(found, "Fear", "Other"))
    more = [SufficientStatistics("expr", {"expr": one.arrays["expr"] + 0}) for one in others]
    for one in more:
        one.arrays["expr"][:, 7, 0] += 1
    assert rows[1].without_rare == pytest.approx(mean_without(more, "Fear", "Other"))


def test_results_are_cached_and_damaged_statistics_have_none(tmp_path, monkeypatch):
    jobs, _ = keep(tmp_path, "aaaaaa", 0.7)
    value = board(tmp_path, jobs)[0].without_rare
    monkeypatch.setattr("harness.metrics.rare_classes.score_without", None)
    monkeypatch.setattr("harness.metrics.rare_classes.rare_classes", None)
    assert board(tmp_path, jobs)[0].without_rare == value
    monkeypatch.undo()
    path = tmp_path / "artifacts" / "jobs" / jobs[0].job_id / "statistics.npz"
    np.savez_compressed(path, units=np.array(UNITS), expr=np.zeros((8, 3)))
    row = board(tmp_path, jobs)[0]
    assert (row.rare_classes, row.without_rare) == ({}, None)


def test_show_names_them(tmp_path):
    jobs, found = keep(tmp_path, "aaaaaa", 0.7)
    track(tmp_path, jobs)
    summary = summarize_run(Store(tmp_path), "aaaaaa")
    expected = mean_without(found, "Fear", "Other")
    assert summary.without_rare == pytest.approx(expected) == board(tmp_path, jobs)[0].without_rare
    assert summary.as_dict()["rare_classes"] == {"F1/Fear": 4, "F1/Other": 0}
    assert summary.as_dict()["without_rare"] == summary.without_rare
    text = format_run(summary)
    assert "without rare: P_EXPR without classes of fewer than 10 labels: Other 0, Fear 4" in " ".join(text.split())
    lines = [line.split() for line in text.splitlines()]
    assert ["without", "rare", f"{expected:.3f}", "-", "-"] in lines
