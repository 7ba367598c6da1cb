"""Which model predicts which split: held-out part, folds, and refitting on all training videos."""

import dataclasses
import json

import numpy as np
import pytest

from harness import Grid, HeadConfig, Protocol, Recipe, SmoothingGrid
from harness.data.dataset import Labels
from harness.data.registry import open_dataset
from harness.data.splits import make_splits
from harness.jobs import training
from harness.jobs.execute import run_job
from harness.jobs.models import fit_model
from harness.jobs.predictions import Predictions, merge_fold_predictions
from harness.metrics.tasks import get_task
from harness.runner.expansion import JobGrid
from harness.runner.preparation import prepare_inputs
from harness.training.heads.trained_head import load
from harness.utils.store import Store

HEAD = HeadConfig("mlp", hidden=8, epochs=6, learning_rate=3e-3)
RECIPE = Recipe(
    name="trained",
    backbones=("tiny_mobilenet@random",),
    grids=(Grid("va", ("embeddings",), (HEAD,)),),
    smoothing=SmoothingGrid(largest=3),
    pictures=False,
    baselines=False,
)
FOLDS = Protocol(folds=3)


@pytest.fixture(scope="module")
def prepared(small_set, tmp_path_factory):
    return prepare_inputs(RECIPE, small_set, Store(tmp_path_factory.mktemp("trained") / "store"))


def job_of(prepared, protocol):
    (job,) = JobGrid(dataclasses.replace(RECIPE, protocol=protocol), prepared).jobs()
    return job


def trial_of(prepared, protocol):
    job = job_of(prepared, protocol)
    return dataclasses.replace(job, configuration=dataclasses.replace(job.configuration, kind="trial"))


@pytest.fixture(scope="module")
def folded(prepared):
    job = job_of(prepared, FOLDS)
    return job, run_job(job)


def summary(job):
    return json.loads((job.folder / "training.json").read_text())


def outputs(predictions):
    ends = np.cumsum(predictions.lengths)
    return {
        name: predictions.outputs[end - length : end]
        for name, end, length in zip(predictions.sequences, ends, predictions.lengths)
    }


def test_videos_are_predicted_out_of_fold(prepared, folded):
    job, record = folded
    labels = open_dataset(prepared.root).labels("va", "train")
    kept = outputs(Predictions.load(job.folder / "selection.npz"))
    assert sorted(kept) == sorted(labels.sequences)
    for division in make_splits(FOLDS, get_task("va"), labels):
        model = fit_model(job, get_task("va"), division.fit, division.selection)
        for name, expected in outputs(model.predict(division.selection.sequences)).items():
            assert np.array_equal(kept[name], expected)


def test_reported_split_is_predicted_after_the_median_epoch_of_the_same_schedule(prepared, folded):
    job, record = folded
    epochs = [fold["epoch"] for fold in summary(job)["folds"]]
    assert record.epoch == sorted(epochs)[1] and len(epochs) == 3
    final = load(job.folder)
    assert (final.epoch, len(final.history), final.config.epochs) == (record.epoch, record.epoch, HEAD.epochs)
    labels = open_dataset(prepared.root).labels("va", "train")
    again = fit_model(job, get_task("va"), labels, None, epochs={"head": record.epoch})
    reported = Predictions.load(job.folder / "reported.npz")
    assert np.array_equal(again.predict(reported.sequences).outputs, reported.outputs)


def test_refit_keeps_the_selection(prepared):
    plain, refit = job_of(prepared, Protocol(refit=False)), job_of(prepared, Protocol(refit=True))
    first, second = run_job(plain), run_job(refit)
    assert plain.job_id != refit.job_id
    assert (first.epoch, first.kernel, first.radius, first.selection) == (
        second.epoch,
        second.kernel,
        second.radius,
        second.selection,
    )
    kept = [(job.folder / "selection.npz").read_bytes() for job in (plain, refit)]
    assert kept[0] == kept[1]
    reported = [Predictions.load(job.folder / "reported.npz").outputs for job in (plain, refit)]
    assert not np.array_equal(*reported)
    assert load(refit.folder).epoch == len(load(refit.folder).history) == first.epoch


def selection_videos(job):
    return Predictions.load(job.folder / "selection.npz").sequences


def test_seeds_select_on_other_videos_unless_the_protocol_has_a_seed(prepared):
    """On so few videos the labels leave two divisions, of which the seeds 0 and 1 get one each."""
    recipe = dataclasses.replace(RECIPE, grids=(Grid("expr", heads=(HEAD,)),), seeds=(0, 1))
    prepared = prepare_inputs(recipe, prepared.root, prepared.store)
    by_seed, fixed = (
        JobGrid(dataclasses.replace(recipe, protocol=protocol), prepared).jobs()
        for protocol in (Protocol(), Protocol(seed=1))
    )
    assert len({job.group_id for job in by_seed}) == 1 and by_seed[0].group_id != fixed[0].group_id
    for job in (*by_seed, *fixed):
        run_job(job)
    assert selection_videos(by_seed[0]) != selection_videos(by_seed[1])
    assert selection_videos(fixed[0]) == selection_videos(fixed[1]) == selection_videos(by_seed[1])
    assert by_seed[1].training_id == fixed[1].training_id, "the same training, so it is shared"
    assert by_seed[0].training_id != fixed[0].training_id


def test_default_predicts_with_a_model_of_all_training_videos(prepared):
    job = job_of(prepared, Protocol())
    run_job(job)
    labels, model = open_dataset(prepared.root).labels("va", "train"), load(job.folder)
    again = fit_model(job, get_task("va"), labels, None, epochs={"head": model.epoch})
    reported = Predictions.load(job.folder / "reported.npz")
    assert np.array_equal(again.predict(reported.sequences).outputs, reported.outputs)


def test_saved_predictions_are_reused(folded, monkeypatch):
    job, record = folded

    def never(*_, **__):
        raise AssertionError("trained again")

    monkeypatch.setattr(training, "fit_model", never)
    again = run_job(job)
    same = {"duration": {}, "environment": {}}
    assert dataclasses.replace(again, **same) == dataclasses.replace(record, **same)


def test_pruning_uses_the_first_fold_only(prepared):
    asked = []
    trial = trial_of(prepared, Protocol(folds=3, seed=7))
    record = run_job(trial, lambda epoch, value: asked.append((epoch, value)))
    assert [epoch for epoch, _ in asked] == [1, 2, 3, 4, 5, 6]
    assert summary(trial)["history"] == summary(trial)["folds"][0]["history"]
    assert [value for _, value in asked] == [epoch["value"] for epoch in summary(trial)["history"]]
    assert record.split == "selection" and record.units > 2, "scored on the videos of all folds"


def test_pruned_trial_fits_no_further_fold(prepared, monkeypatch):
    fit, fitted = training.fit_model, []

    def counted(*arguments, **more):
        fitted.append(fit(*arguments, **more))
        return fitted[-1]

    monkeypatch.setattr(training, "fit_model", counted)
    trial = trial_of(prepared, Protocol(folds=3, seed=8))
    record = run_job(trial, lambda epoch, value: epoch == 2)
    assert record.status == "pruned" and len(fitted) == 1 and not trial.predictions.exists()
    assert record.selection["P_VA"] == fitted[0].summary["value"]


def test_blocks_of_stills_are_pooled_row_by_row():
    """Two folds predict the whole block; each counts for the rows that its labels name."""
    frames = np.arange(1, 7, dtype=np.int32)

    def fold(value, rows):
        labels = Labels(
            ("images-00000",),
            np.zeros(len(rows), np.int32),
            np.array(rows, np.int32),
            ("a",),
            np.zeros(len(rows), np.int32),
            ("a",),
            {},
        )
        return Predictions(("images-00000",), np.array([6]), frames, np.full((6, 2), value, np.float32)), labels

    found = merge_fold_predictions([fold(1, [2, 5]), fold(2, [1, 3])])
    assert found.frames.tolist() == [1, 2, 3, 5] and found.lengths.tolist() == [4]
    assert found.outputs[:, 0].tolist() == [2, 1, 2, 1]


def test_memory_setting_does_not_change_results(prepared):
    little, much = (JobGrid(dataclasses.replace(RECIPE, memory=memory), prepared).jobs() for memory in (1, 512))
    assert [job.job_id for job in little] == [job.job_id for job in much]
    assert (little[0].memory, much[0].memory) == (2**20, 2**29)
    own = make_splits(Protocol(), get_task("va"), open_dataset(little[0].data).labels("va", "train"))[0]
    states = [
        fit_model(dataclasses.replace(little[0], memory=memory), get_task("va"), own.fit, own.selection)
        .trained["head"]
        .state
        for memory in (0, 2**29)
    ]
    for name, value in states[0].items():
        np.testing.assert_array_equal(value, states[1][name])
