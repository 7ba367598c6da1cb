"""Optimism of the published protocol: the same configuration under both protocols."""

import csv
import io
import json
import shutil

import pytest

from harness import HeadConfig, Protocol, SmoothingGrid
from harness.cli import main
from harness.jobs.job import Configuration
from harness.leaderboard.optimism import optimism_rows, render_optimism
from harness.leaderboard.significance import SignificanceCache
from harness.tracking import open_tracker
from harness.utils.hashing import to_jsonable
from harness.utils.store import Store
from tests.helpers.job_statistics import keep

PUBLISHED = Protocol("published")


def run(store, group, right, protocol=None, hidden=128, **changes):
    protocol = protocol or Protocol()
    configuration = Configuration(
        kind="run",
        task="expr",
        data="d0d0d0d0d0d0",
        entry="69a765976f5c",
        features="embeddings",
        head=HeadConfig("mlp", hidden=hidden),
        smoothing=SmoothingGrid(),
        protocol=protocol,
    )
    return keep(store, group, right, protocol=protocol.name, config=to_jsonable(configuration), head="mlp", **changes)


@pytest.fixture
def jobs(tmp_path):
    return [
        *run(tmp_path, "held", 0.4),
        *run(tmp_path, "open", 0.45, PUBLISHED),
        *run(tmp_path, "wide", 0.5, hidden=512),
        *run(tmp_path, "alone", 0.5, PUBLISHED, hidden=64),
        *run(tmp_path, "openwide", 0.5, PUBLISHED, hidden=512, seeds=(1, 2, 3)),
    ]


def test_each_configuration_is_paired_with_itself_under_the_other_protocol(jobs, tmp_path):
    listed = optimism_rows(jobs, significance=SignificanceCache(Store(tmp_path)))
    assert [(row.run_id, row.published_run_id, row.seeds) for row in listed] == [
        ("wide", "openwide", [1, 2]),
        ("held", "open", [0, 1, 2]),
    ]
    gap = listed[1]
    assert gap.gap == pytest.approx(gap.published - gap.held_out) and gap.gap > 0
    assert gap.ci_low < gap.gap < gap.ci_high and gap.p_value < 0.05
    found = SignificanceCache(Store(tmp_path)).difference(
        [j for j in jobs if j.group_id == "open"], [j for j in jobs if j.group_id == "held"]
    )
    assert (found.value, found.p) == (pytest.approx(gap.gap), gap.p_value)


def test_gap_without_statistics_has_no_interval(jobs):
    row = optimism_rows(jobs)[1]
    assert row.gap > 0 and row.ci_low is row.ci_high is row.p_value is None


def test_every_held_out_variant_is_paired(tmp_path):
    jobs = [
        *run(tmp_path, "slice", 0.4, Protocol(refit=False)),
        *run(tmp_path, "folds", 0.42, Protocol(folds=5)),
        *run(tmp_path, "open", 0.45, PUBLISHED),
    ]
    listed = {row.run_id: row for row in optimism_rows(jobs)}
    assert {run: row.refit for run, row in listed.items()} == {"slice": False, "folds": True}
    assert "folds=5" in listed["folds"].distinction
    text = render_optimism(list(listed.values()))
    assert "folds=5" in text and "also trains on the training videos that held-out sets aside" in text
    assert "held-out videos as well" not in render_optimism([listed["folds"]]), "refit: the same training videos"


def test_other_tasks_and_data_sets_are_not_paired(tmp_path):
    jobs = [*run(tmp_path, "held", 0.4), *run(tmp_path, "open", 0.45, PUBLISHED)]
    assert optimism_rows(jobs, task="va") == [] and len(optimism_rows(jobs, task="expr")) == 1


def test_label_baseline_has_no_gap(tmp_path):
    oracle = {"kind": "baseline", "flags": ("uses_labels",)}
    assert (
        optimism_rows([*run(tmp_path, "held", 0.9, **oracle), *run(tmp_path, "open", 0.9, PUBLISHED, **oracle)]) == []
    )


def test_table_fits_and_explains_the_gap(jobs, tmp_path):
    listed = optimism_rows(jobs, significance=SignificanceCache(Store(tmp_path)))
    text = render_optimism(listed)
    for width in (60, 80, 100):
        assert max(map(len, render_optimism(listed, width=width).splitlines())) <= width
    for said in (
        "Expression on rendered",
        "held-out vs. published protocol",
        "held-out",
        "published",
        "gap",
        "95% CI of gap",
        "selects epochs, thresholds and smoothing on the reported split",
        "Median gap of 2",
    ):
        assert said in text
    assert f"{listed[1].gap:+.3f}" in text and "OPTIMISTIC" not in text


def test_all_four_formats_say_the_same(jobs, tmp_path):
    listed = optimism_rows(jobs, significance=SignificanceCache(Store(tmp_path)))
    as_json, as_csv = (
        json.loads(render_optimism(listed, "json")),
        list(csv.DictReader(io.StringIO(render_optimism(listed, "csv")))),
    )
    for row, one, other in zip(listed, as_json, as_csv):
        assert one["gap"] == pytest.approx(row.gap, abs=1e-6) == pytest.approx(float(other["gap"]), abs=1e-6)
        assert one["chosen"] == {"held-out": ["mean", 7], "published": ["mean", 7]}
    markdown = render_optimism(listed, "md")
    assert markdown.startswith("### Expression on rendered") and f"| {listed[1].gap:+.3f} |" in markdown


def test_narrow_table_drops_p_value_after_filter(tmp_path):
    long = {"backbone": "drawn_expressions_1", "radius": 125}
    jobs = [*run(tmp_path, "held", 0.4, **long), *run(tmp_path, "open", 0.45, PUBLISHED, **long)]
    listed = optimism_rows(jobs, significance=SignificanceCache(Store(tmp_path)))
    text = render_optimism(listed)
    assert "mean 125" in render_optimism(listed, width=140) and "mean 125" not in text
    assert f"{listed[0].p_value:.3f}" in text or "<0.001" in text
    stills = optimism_rows(
        [
            *run(tmp_path, "s", 0.4, kernel="none", radius=0, unit="subject"),
            *run(tmp_path, "t", 0.45, PUBLISHED, kernel="none", radius=0, unit="subject"),
        ]
    )
    assert "smoothing" not in render_optimism(stills, width=140).split("The published")[0]


def track(store, records):
    tracker = open_tracker(Store(store))
    study = tracker.start_study("abaw3_expr", "s")
    for one in records:
        tracker.log_record(one, None, study)


@pytest.fixture(scope="module")
def tracked(tmp_path_factory):
    """A store in which one held-out run was tracked."""
    store = tmp_path_factory.mktemp("tracked") / "store"
    track(store, run(store, "held", 0.4, seeds=(0,)))
    return store


def test_command_prints_gap_or_missing_protocol(tracked, tmp_path, capsys):
    store = tmp_path / "store"
    shutil.copytree(tracked, store)
    assert main(["leaderboard", "--optimism", "--store", str(store)]) == 0
    assert "repeat its command with" in (said := capsys.readouterr().out)
    assert "--set protocol=published" in said
    track(store, run(store, "open", 0.45, PUBLISHED, seeds=(0,)))
    assert main(["leaderboard", "--optimism", "--store", str(store)]) == 0
    assert "held-out vs. published protocol" in capsys.readouterr().out
    assert main(["leaderboard", "--optimism", "--published", "--store", str(store)]) == 2


def test_command_adds_unranked_published_results(tracked, capsys):
    assert main(["leaderboard", "--published", "--format", "json", "--store", str(tracked)]) == 0
    listed = json.loads(capsys.readouterr().out)
    figures = [row for row in listed if row["kind"] == "published"]
    assert figures and all(row["rank"] is None and row["source"] for row in figures)
    assert [row["rank"] for row in listed if row["kind"] == "run"] == [1]
    assert main(["leaderboard", "--store", str(tracked), "--format", "json"]) == 0
    assert all(row["kind"] == "run" for row in json.loads(capsys.readouterr().out))


@pytest.mark.parametrize("form, start", [("table", "enet_b2_8 "), ("md", "| enet_b2_8 |")])
def test_published_results_end_with_costs(tracked, capsys, form, start):
    asked = ["leaderboard", "--published", "--format", form, "--store", str(tracked)]
    assert main(asked) == 0
    said = capsys.readouterr().out
    line = next(line for line in said[said.index("Published cost") :].splitlines() if line.startswith(start))
    assert "30 MB" in line and "191 ± 18 ms" in line
    assert main([*asked, "--task", "expr"]) == 0
    assert "Published cost" not in capsys.readouterr().out
