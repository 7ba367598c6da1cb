"""Models of jobs: fitted, saved, and applied to features of other images."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import torch
from torch.nn import functional

from harness import Grid, HeadConfig, HeadOverride, Recipe
from harness.data.registry import open_dataset
from harness.data.splits import REPORTED, TRAINING
from harness.features.matrix import feature_columns
from harness.features.row_reader import noise
from harness.features.store import FeatureStore
from harness.jobs.baselines import expression_columns, zero_shot_probabilities
from harness.jobs.models import fit_model, load_model, median_epochs
from harness.metrics.tasks import get_task
from harness.runner.expansion import JobGrid
from harness.runner.preparation import prepare_inputs
from harness.utils.errors import FramelightError, InputError
from harness.utils.store import Store

LINEAR = HeadConfig("logistic_regression", hidden=0, epochs=2)
SEPARATE = HeadConfig(
    "separate",
    hidden=0,
    epochs=2,
    parts=(
        HeadOverride("va", features="scores", epochs=3),
        HeadOverride("au", hidden=16),
        HeadOverride("expr", keep="accuracy"),
    ),
)
RECIPE = Recipe(
    name="small",
    backbones=("tiny_mobilenet@random",),
    grids=(Grid("expr", ("embeddings",), (LINEAR,)), Grid("mtl", ("embeddings+scores",), (SEPARATE,))),
)


@pytest.fixture(scope="module")
def prepared(small_set, tmp_path_factory):
    return prepare_inputs(RECIPE, small_set, Store(tmp_path_factory.mktemp("models")))


@pytest.fixture(scope="module")
def data(small_set):
    return open_dataset(small_set)


def job_of(prepared, task, features, head, kind="run", backbone=True):
    return JobGrid(RECIPE, prepared).job(
        kind, task, prepared.backbones[0] if backbone else None, features, head, RECIPE.smoothing, 0
    )


def fitted(job, data, **more):
    task = job.configuration.task
    return fit_model(job, get_task(task), data.labels(task, TRAINING), data.labels(task, REPORTED), **more)


def kept(model, folder):
    folder.mkdir()
    model.save(folder)
    (folder / "training.json").write_text(json.dumps(model.summary))
    return folder


JOBS = {
    "head": ("expr", "embeddings", LINEAR),
    "noise": ("expr", "noise", LINEAR),
    "constant": ("mtl", "none", None),
    "zero-shot": ("expr", "scores", None),
    "separate": ("mtl", "embeddings+scores", SEPARATE),
}


@pytest.mark.parametrize("name", JOBS)
def test_loaded_model_predicts_like_the_fitted_one(name, prepared, data, tmp_path):
    task, features, head = JOBS[name]
    job = job_of(prepared, task, features, head)
    model, entry = fitted(job, data), FeatureStore(job.store.features).entry(job.entry)
    back = load_model(kept(model, tmp_path / "job"), entry, job.configuration)
    sequences = data.sequence_names(task, "test") or data.sequence_names(task, REPORTED)
    expected, found = model.predict(sequences), back.predict(sequences)
    assert found.outputs.shape == (found.lengths.sum(), get_task(task).width) and len(found.outputs)
    np.testing.assert_array_equal(found.outputs, expected.outputs)
    assert back.summary["epochs"] == model.summary["epochs"]


def forward(trained, features):
    """The outputs of one network, written out: standardization, linear layers with ReLU between, activation."""
    state = {name: torch.from_numpy(value) for name, value in trained.state.items()}
    values = (torch.from_numpy(features) - state["standardise.mean"]) * state["standardise.scale"]
    for i, layer in enumerate(sorted({name.split(".")[1] for name in state if name.startswith("layers.")}, key=int)):
        values = functional.linear(
            values.relu() if i else values, state[f"layers.{layer}.weight"], state[f"layers.{layer}.bias"]
        )
    return get_task(trained.task).activate(values.numpy()).astype(np.float32)


def expected_outputs(name, model, columns):
    if name == "constant":
        return np.tile(model.constant, (len(columns["none"]), 1))
    if name == "zero-shot":
        return zero_shot_probabilities(
            columns["scores"], expression_columns(model.entry.backbone["score_labels"])
        ).astype(np.float32)
    return np.hstack([forward(model.trained[part.name], columns[part.features]) for part in model.parts])


@pytest.mark.parametrize("name", JOBS)
def test_outputs_equal_explicit_network_outputs(name, prepared, data):
    """To the bit, of stored features and of a backbone's arrays, which are rounded as features are stored."""
    task, features, head = JOBS[name]
    job = job_of(prepared, task, features, head)
    model, entry = fitted(job, data), FeatureStore(job.store.features).entry(job.entry)
    sequences = data.sequence_names(task, TRAINING)[:2]
    rows = [(sequence, np.array(entry.frames(sequence))) for sequence in sequences]
    stored = {
        part: np.concatenate([entry.read(sequence, part)[0] for sequence in sequences]).astype(np.float32)
        for part in ("embeddings", "scores")
    }
    columns = {
        **stored,
        "embeddings+scores": np.hstack([stored["embeddings"], stored["scores"]]),
        "noise": np.vstack([noise(*row) for row in rows]),
        "none": np.zeros((len(stored["scores"]), 0)),
    }
    expected = expected_outputs(name, model, columns)
    np.testing.assert_array_equal(model.predict(sequences).outputs, expected)
    if not {"noise", "none"} & {*model.features}:
        assert entry.dtype == "float16"
        arrays = {part: values * np.float32(1 + 1e-5) for part, values in stored.items()}
        assert (arrays["embeddings"] != stored["embeddings"]).any()
        np.testing.assert_array_equal(
            model.predict_arrays(feature_columns(model.features, arrays, entry.dtype)), expected
        )


def test_separate_model_concatenates_its_networks(prepared, data):
    whole = fitted(job_of(prepared, "mtl", "embeddings+scores", SEPARATE), data)
    assert whole.summary["epochs"].keys() == {"head_va", "head_expr", "head_au"}
    assert {name: len(history) for name, history in whole.summary["histories"].items()} == {
        "head_va": 3,
        "head_expr": 2,
        "head_au": 2,
    }
    width = whole.trained["head_expr"].in_width
    assert (whole.trained["head_va"].in_width, whole.summary["parameters"]) == (
        8,
        9 * 2 + (width + 1) * 8 + (width + 1) * 16 + 17 * 12,
    )
    sequences, slices = data.sequence_names("mtl", REPORTED), get_task("mtl").slices()
    said = whole.predict(sequences).outputs
    for output, part in (("va", "scores"), ("expr", "embeddings+scores"), ("au", "embeddings+scores")):
        job = job_of(prepared, "mtl", part, None)
        alone = dataclasses.replace(job.configuration, task=output, head=SEPARATE.part(output))
        task, labels = get_task(output), [data.labels("mtl", split) for split in (TRAINING, REPORTED)]
        single = fit_model(dataclasses.replace(job, configuration=alone), task, *labels)
        np.testing.assert_array_equal(said[:, slices[output]], single.predict(sequences).outputs)


def test_refit_without_selection_rows(prepared, data):
    job = job_of(prepared, "mtl", "embeddings+scores", SEPARATE)
    first = fitted(job, data)
    epochs = {"head_va": 2, "head_expr": 1, "head_au": 2}
    again = fit_model(job, get_task("mtl"), data.labels("mtl", TRAINING), None, epochs=epochs)
    assert again.summary["epochs"] == epochs and again.summary["epoch"] == 2
    assert first.summary["histories"]["head_au"][0]["loss"] == again.summary["histories"]["head_au"][0]["loss"]


def test_median_epoch_of_two_is_their_mean_rounded_down():
    folds = [{"epochs": {"a": 2, "b": 9}}, {"epochs": {"a": 5, "b": 1}}, {"epochs": {"a": 3, "b": 1}}]
    assert median_epochs(folds) == {"a": 3, "b": 1} and median_epochs(folds[:2]) == {"a": 3, "b": 5}
    assert median_epochs([{"epochs": {}}] * 2) == {}


def test_unloadable_models_raise(prepared, data, tmp_path):
    job = job_of(prepared, "expr", "embeddings", LINEAR)
    entry = FeatureStore(job.store.features).entry(job.entry)
    folder = kept(fitted(job, data), tmp_path / "job")
    narrow = dataclasses.replace(job.configuration, features="scores")
    with pytest.raises(InputError, match="columns of scores, but the features of .* have 8"):
        load_model(folder, entry, narrow)
    with pytest.raises(InputError, match="'previous label' predicts from annotations"):
        load_model(folder, entry, dataclasses.replace(job.configuration, features="labels", head=None))
    unnamed = dataclasses.replace(entry, backbone={**entry.backbone, "score_labels": []})
    with pytest.raises(InputError, match="not named after emotions"):
        load_model(folder, unnamed, dataclasses.replace(job.configuration, features="scores", head=None))
    (folder / "training.json").write_text("{")
    with pytest.raises(FramelightError, match="run the recipe of this run again with --force"):
        load_model(folder, entry, job.configuration)
    shutil.rmtree(folder)
    with pytest.raises(FramelightError, match="training.json cannot be read"):
        load_model(folder, entry, dataclasses.replace(job.configuration, features="none", head=None))
