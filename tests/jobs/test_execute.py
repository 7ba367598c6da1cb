"""Jobs of a small recipe in this process: inputs and records."""

import dataclasses
import json
import os
import shutil

import numpy as np
import pytest

from harness import Grid, HeadConfig, Protocol, Recipe, SmoothingGrid
from harness.data.registry import open_dataset
from harness.jobs.execute import run_job
from harness.jobs.job_folder import JobFolder
from harness.jobs.predictions import Predictions
from harness.runner.expansion import JobGrid
from harness.runner.preparation import prepare_inputs
from harness.tracking.serialization import metrics
from harness.utils.errors import FramelightError
from harness.utils.store import Store

HEAD = HeadConfig("logistic_regression", hidden=0, epochs=2)
RECIPE = Recipe(
    name="small",
    backbones=("tiny_mobilenet@random",),
    grids=(Grid("expr", ("scores",), (HEAD,)),),
    smoothing=SmoothingGrid(largest=3),
    protocol=Protocol(fraction=0.5),
)


@pytest.fixture(scope="module")
def prepared(small_set, tmp_path_factory):
    folder = tmp_path_factory.mktemp("jobs")
    shutil.copytree(small_set, folder / "data")
    return prepare_inputs(RECIPE, folder / "data", Store(folder / "store"))


def job_of(prepared, kind, **changes):
    expansion = JobGrid(RECIPE, prepared)
    job = expansion.job(kind, "expr", prepared.backbones[0], "scores", HEAD, RECIPE.smoothing, 0)
    return dataclasses.replace(job, **changes)


def test_record_has_both_curves_and_documented_names(prepared):
    record = run_job(job_of(prepared, "run"))
    listed = {name for name, _, _ in metrics(record)}
    assert set(record.curve["mean"]) == {"radius", "selected", "reported"}
    assert {"P_EXPR", "coverage", "curve/mean/P_EXPR", "curve/mean/selection/P_EXPR", "selection/P_EXPR"} <= listed
    at_chosen = record.curve[record.kernel if record.radius else "mean"]["reported"][record.radius]
    assert record.metrics["P_EXPR"] == pytest.approx(at_chosen, abs=1e-12)


def test_trial_logs_nothing_under_a_name_of_the_reported_split(prepared):
    record = run_job(job_of(prepared, "trial"))
    assert record.split == "selection" and record.selection["P_EXPR"] == pytest.approx(record.metrics["P_EXPR"])
    assert all(set(columns) == {"radius", "selected"} for columns in record.curve.values())
    listed = [name for name, _, _ in metrics(record) if not name.startswith("seconds/")]
    assert {name for name in listed if "selection/" not in name} == set()
    assert {"selection/P_EXPR", "selection/ci_low", "curve/median/selection/P_EXPR"} <= set(listed)


def test_stored_statistics_have_a_row_per_video(prepared):
    job = job_of(prepared, "run")
    record = run_job(job)
    with np.load(job.folder / "statistics.npz") as kept:
        assert kept["expr"].shape == (record.units, 8, 8) and kept["expr"].sum() == record.scored


def test_figures_are_drawn_for_the_first_seed_only(prepared):
    expansion = JobGrid(dataclasses.replace(RECIPE, seeds=(3, 4)), prepared)
    first, second = (
        expansion.job("run", "expr", prepared.backbones[0], "scores", HEAD, RECIPE.smoothing, seed) for seed in (3, 4)
    )
    for job in (first, second, dataclasses.replace(first, seed=5, expected_seeds=(5,), pictures=False)):
        run_job(job)
    assert (first.folder / "pictures" / "confusion.png").is_file() and not (second.folder / "pictures").exists()
    assert not list(first.folder.parent.glob("*-s5/pictures"))


def test_job_without_its_figures_is_finished(prepared, monkeypatch, caplog):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("harness.jobs.figures.plot_run", fail)
    seed = 6
    expansion = JobGrid(dataclasses.replace(RECIPE, seeds=(seed,)), prepared)
    job = expansion.job("run", "expr", prepared.backbones[0], "scores", HEAD, RECIPE.smoothing, seed)
    assert run_job(job).status == "finished" and JobFolder(job.folder).has_record()
    assert f"the figures of job {job.job_id} could not be drawn: OSError: [Errno 28]" in caplog.text


def test_curves_have_loss_and_selection_score_of_each_epoch(prepared):
    job = job_of(prepared, "run")
    record = run_job(job)
    history = json.loads((job.folder / "training.json").read_text())["history"]
    curves = JobFolder(job.folder).epoch_metrics()
    assert ("epoch/loss", history[0]["loss"], 1) in curves
    assert ("epoch/selection", history[record.epoch - 1]["value"], record.epoch) in curves
    assert len(curves) == 2 * len(history)
    assert JobFolder(job.folder / "missing").epoch_metrics() == []


def test_previous_label_is_scored_and_flagged(prepared):
    (job,) = (job for job in JobGrid(RECIPE, prepared).jobs() if job.configuration.features == "labels")
    record = run_job(job)
    assert record.flags == ("uses_labels",) and record.selection == {} and record.kernel == "none"
    assert (record.backbone, record.head, record.epoch, record.parameters) == ("previous label", "none", 0, 0)
    labels = open_dataset(prepared.root).labels("expr", "validation")
    kept = Predictions.load(job.folder / "reported.npz")
    for name in kept.sequences:
        own = labels.sequence == labels.sequences.index(name)
        truth = dict(zip(labels.frame[own].tolist(), labels.targets["expr"][own].tolist()))
        (frames,) = (kept.frames[rows] for rows in kept.slices([kept.sequences.index(name)]))
        (said,) = (kept.outputs[rows].argmax(axis=1) for rows in kept.slices([kept.sequences.index(name)]))
        after = [i for i, frame in enumerate(frames.tolist()) if truth.get(frame - 1, -1) >= 0]
        assert [said[i] for i in after] == [truth[frames[i] - 1] for i in after] and len(after) > 10


def test_thresholds_may_stay_at_half(small_set, tmp_path):
    head, found = HeadConfig("mlp", hidden=8, epochs=2), {}
    recipe = Recipe(
        name="half",
        backbones=("tiny_mobilenet@random",),
        grids=(Grid("au", ("scores",), (head,)),),
        smoothing=SmoothingGrid(largest=2),
        baselines=False,
        pictures=False,
    )
    ready = prepare_inputs(recipe, small_set, Store(tmp_path / "store"))
    for thresholds in ("chosen", "half"):
        (job,) = JobGrid(dataclasses.replace(recipe, thresholds=thresholds), ready).jobs()
        found[thresholds] = run_job(job)
    assert len(found["chosen"].thresholds) == 12 and "P_AU/threshold_0.5" in found["chosen"].metrics
    assert found["half"].thresholds is None and "P_AU/threshold_0.5" not in found["half"].metrics
    assert found["half"].unsmoothed["P_AU"] != found["chosen"].unsmoothed["P_AU"]


def test_annotations_that_changed_while_the_recipe_ran_raise(prepared, tmp_path):
    shutil.copytree(prepared.root, tmp_path / "data")
    job = job_of(prepared, "run", data=tmp_path / "data")
    file = next(iter(open_dataset(job.data).annotation_files("expr", "train")))
    lines = file.read_text().splitlines()
    file.write_text("\n".join([lines[0], "0" if lines[1] != "0" else "1", *lines[2:]]) + "\n")
    with pytest.raises(FramelightError, match="annotations of task expr changed while the recipe ran; run it again"):
        run_job(job)


def test_git_is_called_once_per_process(prepared, tmp_path, monkeypatch):
    (tmp_path / "git").write_text(f'#!/bin/sh\necho asked >> {tmp_path}/log\nexec {shutil.which("git")} "$@"\n')
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    first = run_job(job_of(prepared, "run", seed=1))
    asked = (tmp_path / "log").read_text()
    assert asked and run_job(job_of(prepared, "run", seed=2)).environment == first.environment
    assert (tmp_path / "log").read_text() == asked
