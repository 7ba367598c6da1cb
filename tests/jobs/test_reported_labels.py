"""The labels of the reported split cannot be read before the selection is saved."""

import ast
import dataclasses
import hashlib
import importlib.util
import json
import shutil
from pathlib import Path

import pytest

from harness import Grid, HeadConfig, Protocol, Recipe, SmoothingGrid
from harness.jobs import training
from harness.jobs.execute import run_job
from harness.jobs.frozen_selection import freeze_selection
from harness.jobs.labels import ReportedLabels
from harness.jobs.selection import PostprocessingChoice
from harness.runner.expansion import JobGrid
from harness.runner.preparation import prepare_inputs
from harness.utils.errors import FramelightError
from harness.utils.store import Store

LINEAR = HeadConfig("logistic_regression", epochs=2)
RECIPE = Recipe(
    name="sealed",
    backbones=("tiny_mobilenet@random",),
    grids=(Grid("expr", ("scores",), (LINEAR,)),),
    smoothing=SmoothingGrid(largest=3),
    pictures=False,
)
HELD_OUT = Protocol()
CHOICE = PostprocessingChoice("mean", 3, (0.5,) * 12, 0.4, {"mean": [0.3, 0.4]})


@pytest.fixture(scope="module")
def prepared(small_set, tmp_path_factory):
    return prepare_inputs(RECIPE, small_set, Store(tmp_path_factory.mktemp("sealed") / "store"))


def job_of(prepared, protocol=HELD_OUT):
    return JobGrid(dataclasses.replace(RECIPE, protocol=protocol), prepared).jobs()[-1]


def test_saved_selection_gives_access_to_labels(prepared, tmp_path):
    job = job_of(prepared)
    labels = ReportedLabels(job).open(freeze_selection(tmp_path, job.job_id, 1, CHOICE, None))
    kept = json.loads((tmp_path / "choice.json").read_text())
    assert len(labels) > 0 and kept == {
        "job": job.job_id,
        "epoch": 1,
        "predictions": "",
        "model": {},
        "kernel": "mean",
        "radius": 3,
        "thresholds": [0.5] * 12,
        "value": 0.4,
        "curves": {"mean": [0.3, 0.4]},
    }


def test_unsaved_selection_gives_no_access(prepared, tmp_path):
    job, other = job_of(prepared), job_of(prepared, Protocol(seed=5))
    frozen = freeze_selection(tmp_path, job.job_id, 1, CHOICE, None)
    with pytest.raises(FramelightError, match="cannot be read before"):
        ReportedLabels(other).open(frozen)
    for changes in ({"choice": dataclasses.replace(CHOICE, radius=7)}, {"model": {"head.json": "0" * 64}}):
        with pytest.raises(FramelightError, match="cannot be read before"):
            ReportedLabels(job).open(dataclasses.replace(frozen, **changes))
    frozen.path.unlink()
    with pytest.raises(
        FramelightError, match=f"{frozen.path}: .* cannot be read before the selection of job {job.job_id}"
    ):
        ReportedLabels(job).open(frozen)


def test_only_published_protocol_selects_on_reported_labels(prepared):
    assert len(ReportedLabels(job_of(prepared, Protocol("published"))).open_for_selection()) > 0
    for protocol in (Protocol(), Protocol(folds=3)):
        with pytest.raises(
            FramelightError, match="held-out does not allow selection on the labels of the reported split"
        ):
            ReportedLabels(job_of(prepared, protocol)).open_for_selection()


def test_missing_annotations_raise(prepared, tmp_path):
    shutil.copytree(prepared.root, tmp_path / "data")
    job = dataclasses.replace(job_of(prepared), data=tmp_path / "data")
    sealed, frozen = ReportedLabels(job), freeze_selection(tmp_path, job.job_id, 1, CHOICE, None)
    for file in tmp_path.glob("data/Third ABAW Annotations/EXPR*/Train_Set/*.txt"):
        file.write_text(file.read_text().replace("\n", "\n0\n", 1))
    with pytest.raises(FramelightError, match="changed while the recipe ran; run it again"):
        sealed.open(frozen)


def test_selection_matches_the_scored_predictions(prepared):
    job = job_of(prepared)
    record = run_job(job)
    kept = json.loads((job.folder / "choice.json").read_text())
    digest = hashlib.sha256((job.folder / "reported.npz").read_bytes()).hexdigest()
    assert kept["predictions"] == digest and kept["job"] == job.job_id
    assert (kept["epoch"], kept["kernel"], kept["radius"]) == (record.epoch, record.kernel, record.radius)
    assert kept["curves"] == {name: columns["selected"] for name, columns in record.curve.items()}
    assert kept["model"] == {
        name: hashlib.sha256((job.folder / name).read_bytes()).hexdigest()
        for name in ("head.json", "head.safetensors", "training.json")
    }


def test_training_code_gets_no_path_of_labels(prepared, monkeypatch):
    fit_model, told = training.fit_model, []

    def watched(job, task, fit, *others, **more):
        told.append(job.data)
        return fit_model(job, task, fit, *others, **more)

    monkeypatch.setattr(training, "fit_model", watched)
    job = job_of(prepared, Protocol(folds=2, seed=9))
    assert run_job(job).status == "finished"
    assert len(told) == 3 and not any(path.is_dir() for path in told)


CHOOSING = (
    "harness.jobs.training",
    "harness.jobs.selection",
    "harness.jobs.head_model",
    "harness.jobs.models",
    "harness.jobs.replay",
    "harness.jobs.predictions",
    "harness.training.heads",
    "harness.training",
    "harness.runner.search",
)
"""What fits, chooses and searches: of these, imports inside functions count too."""
READERS = {
    "harness.data.registry",
    "harness.data.annotations",
    "harness.data.csv_table",
    "harness.data.table_cells",
    "harness.jobs.labels",
    "harness.data.validation_checks",
}


def imported(module, late):
    """The modules of this project that one imports, those inside functions where `late`, not those for types alone."""
    spec = importlib.util.find_spec(module)
    nodes, found = list(ast.parse(Path(spec.origin).read_text()).body), set()
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.ImportFrom):
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)) and (
            late or not isinstance(node, ast.FunctionDef)
        ):
            nodes += ast.iter_child_nodes(node)
    return {name for name in found if name.startswith("harness.") and is_module(name)}


def is_module(name):
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # something that a module defines
        return False


def test_training_code_imports_no_label_reader():
    waiting, met = (
        [*CHOOSING[:6], "harness.training.heads.train", "harness.training.trainer", "harness.runner.search"],
        set(),
    )
    while waiting:
        module = waiting.pop()
        if module not in met:
            met.add(module)
            waiting += imported(module, late=module.startswith(CHOOSING))
    assert {"harness.jobs.head_model", "harness.runner.search_space", "harness.training.losses"} <= met
    assert not met & READERS
