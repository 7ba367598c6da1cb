"""The labels of the reported split are out of reach until the choice is on disk."""

import dataclasses
import json
import shutil
import subprocess
import sys

import pytest

from harness import records, runner
from harness.data import annotations
from harness.errors import FramelightError
from harness.heads.config import HeadConfig
from harness.jobs import training
from harness.jobs.choice import Choice
from harness.jobs.compute import compute
from harness.jobs.expand import Expansion
from harness.jobs.frozen import freeze, read_choice
from harness.jobs.sealed import Sealed
from harness.preparation import prepare
from harness.recipes import Grid, Protocol, Recipe, Smoothing, apply_settings, find_recipe
from tests import small

RECIPE = '''
from harness.heads.config import HeadConfig
from harness.recipes import Grid, Recipe, Search, Smoothing

recipe = Recipe(
    name="sealed",
    backbones=("tiny_mobilenet@random",),
    grids=(Grid("expr", ("embeddings",), (HeadConfig("logistic_regression", epochs=2),)),
           Grid("au", ("embeddings",), (HeadConfig("mlp", hidden=8, epochs=2),))),
    smoothing=Smoothing(largest=4),
)
'''
SEARCHED = RECIPE.replace("largest=4),", "largest=4),\n    search=Search(trials=3, hidden=(4, 8), epochs=(2, 3)),")
HELD_OUT = Protocol()
CHOICE = Choice("mean", 3, (0.5,) * 12, 0.4, {"mean": [0.3, 0.4]})


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """One for all recipes here: no job of one is a job of another."""
    return tmp_path_factory.mktemp("recipes") / "store"


@pytest.fixture
def poisoned(monkeypatch, store):
    """The reader of labels raises when it is asked for the reported split while no choice is being scored."""
    read, asked = annotations.read_frames, []

    def read_frames(path, task):
        if "Validation_Set" in path.parts:
            assert list(store.glob("artifacts/jobs/.*.aside/choice.json")), f"{path} was read before a choice"
            asked.append(path)
        return read(path, task)

    monkeypatch.setattr(annotations, "read_frames", read_frames)
    return asked


def run(text, data, store, *settings):
    """Run a recipe in this process."""
    recipe = small.write_recipe(store.parent, text)
    wanted = apply_settings(find_recipe(str(recipe)), ["pictures=false", *settings])
    return runner.run(wanted, data, store, None, 1, False, lambda _: None)


@pytest.mark.parametrize("text, settings", [
    (RECIPE, []), (RECIPE, ["protocol.folds=2"]), (RECIPE, ["protocol.refit=true"]), (SEARCHED, []),
], ids=["fraction", "folds", "refit", "search"])
def test_no_reported_label_is_read_before_the_choice_is_on_disk(small_set, store, poisoned, text, settings):
    before = set(store.glob("artifacts/jobs/*/record.json"))
    assert run(text, small_set, store, *settings).failures == []
    scored = [path for path in set(store.glob("artifacts/jobs/*/record.json")) - before
              if records.read(path).kind != "trial"]
    videos = len(list(small_set.glob("Third ABAW Annotations/EXPR*/Validation_Set/*.txt")))
    assert len(scored) >= 2 and len(poisoned) == videos * len(scored)


def test_the_published_protocol_is_the_one_that_the_poison_reaches(small_set, store, poisoned):
    outcome = run(RECIPE, small_set, store, "protocol=published")
    reached = [record for record in outcome.failures if "was read before a choice" in record.error]
    assert len(reached) == outcome.computed - 2 > 0, "all but the two baselines that choose nothing"


@pytest.fixture(scope="module")
def reversed_set(small_set, tmp_path_factory):
    """The same videos; the labels of the reported split are in another order."""
    root = tmp_path_factory.mktemp("reversed") / small_set.name
    shutil.copytree(small_set, root)
    for file in root.glob("Third ABAW Annotations/*/Validation_Set/*.txt"):
        header, *lines = file.read_text().splitlines()
        file.write_text("\n".join([header, *lines[::-1]]) + "\n")
    return root


@pytest.mark.parametrize("text, settings", [(RECIPE, []), (RECIPE, ["protocol.folds=2"]), (SEARCHED, [])],
                         ids=["fraction", "folds", "search"])
def test_other_reported_labels_change_scores_and_nothing_that_is_chosen(small_set, reversed_set, store, text,
                                                                         settings):
    found = {}
    for data in (small_set, reversed_set):
        assert run(text, data, store, *settings).failures == []
    for path in store.glob("artifacts/jobs/*/record.json"):
        record = records.read(path)
        choice = {**json.loads(path.with_name("choice.json").read_text()), "job": None}
        kept = [path.with_name(name).read_bytes() for name in ("selection.npz", "reported.npz")
                if record.backbone != "previous label"]
        config = json.dumps({**record.config, "data": None}, sort_keys=True)
        found.setdefault(config, []).append((choice, kept, record.selection, record.metrics))
    pairs = [pair for pair in found.values() if len(pair) == 2]
    assert len(pairs) >= 8 and all(here[:3] == there[:3] for here, there in pairs)
    assert sum(here[3] != there[3] for here, there in pairs) >= 4


@pytest.fixture(scope="module")
def prepared(small_set, tmp_path_factory):
    head = HeadConfig("logistic_regression", epochs=2)
    recipe = Recipe(name="small", backbones=("tiny_mobilenet@random",), grids=(Grid("expr", ("scores",), (head,)),),
                    smoothing=Smoothing(largest=3), pictures=False)
    return recipe, prepare(recipe, small_set, tmp_path_factory.mktemp("sealed") / "store", print)


def job_of(prepared, protocol=HELD_OUT):
    recipe = dataclasses.replace(prepared[0], protocol=protocol)
    return Expansion(recipe, prepared[1]).jobs()[-1]


def test_a_frozen_choice_opens_the_labels(prepared, tmp_path):
    job = job_of(prepared)
    labels = Sealed(job).open(freeze(tmp_path, job.job_id, 1, CHOICE, None))
    assert len(labels) > 0 and read_choice(tmp_path) == CHOICE


def test_what_is_not_frozen_on_disk_opens_nothing(prepared, tmp_path):
    job, other = job_of(prepared), job_of(prepared, Protocol(seed=5))
    frozen = freeze(tmp_path, job.job_id, 1, CHOICE, None)
    with pytest.raises(FramelightError, match="stay shut"):
        Sealed(other).open(frozen)
    with pytest.raises(FramelightError, match="stay shut"):
        Sealed(job).open(dataclasses.replace(frozen, choice=dataclasses.replace(CHOICE, radius=7)))
    frozen.path.unlink()
    with pytest.raises(FramelightError, match=f"{frozen.path}: .* stay shut until the choice of job {job.job_id}"):
        Sealed(job).open(frozen)


def test_only_the_published_protocol_may_choose_on_reported_labels(prepared):
    assert len(Sealed(job_of(prepared, Protocol("published"))).published()) > 0
    for protocol in (Protocol(), Protocol(folds=3)):
        with pytest.raises(FramelightError, match="held-out must not choose on the labels of the reported split"):
            Sealed(job_of(prepared, protocol)).published()


def test_annotations_that_vanish_are_explained(prepared, tmp_path):
    shutil.copytree(prepared[1].root, tmp_path / "data")
    job = dataclasses.replace(job_of(prepared), data=tmp_path / "data")
    sealed, frozen = Sealed(job), freeze(tmp_path, job.job_id, 1, CHOICE, None)
    for file in tmp_path.glob("data/Third ABAW Annotations/EXPR*/Train_Set/*.txt"):
        file.write_text(file.read_text().replace("\n", "\n0\n", 1))
    with pytest.raises(FramelightError, match="changed while the recipe ran; run it again"):
        sealed.open(frozen)


def test_the_choice_is_of_the_predictions_that_are_scored(prepared):
    job = job_of(prepared)
    record = compute(job)
    kept = json.loads((job.folder / "choice.json").read_text())
    said = subprocess.run(["sha256sum", str(job.folder / "reported.npz")], capture_output=True, text=True).stdout
    assert kept["predictions"] == said.split()[0] and kept["job"] == job.job_id
    assert (kept["epoch"], kept["kernel"], kept["radius"]) == (record.epoch, record.kernel, record.radius)
    assert kept["curves"] == {name: columns["selected"] for name, columns in record.curve.items()}


def test_whatever_trains_is_not_told_where_the_labels_lie(prepared, monkeypatch):
    fit_model, told = training.fit_model, []

    def watched(job, task, fit, *others, **more):
        told.append(job.data)
        return fit_model(job, task, fit, *others, **more)

    monkeypatch.setattr(training, "fit_model", watched)
    job = job_of(prepared, Protocol(folds=2, seed=9))
    assert compute(job).status == "finished"
    assert len(told) == 3 and not any(path.is_dir() for path in told)


def test_code_that_trains_chooses_or_searches_has_no_reader_of_labels():
    modules = ("harness.search", "harness.search_space", "harness.jobs.training", "harness.jobs.choice",
               "harness.jobs.heads", "harness.jobs.models", "harness.jobs.replay", "harness.heads.training",
               "harness.learning.lightning", "harness.runner")
    code = (f"import sys, {', '.join(modules)}\n"
            "met = {'harness.data.open', 'harness.data.annotations', 'harness.jobs.sealed', 'harness.jobs.annotated'}\n"
            "sys.exit(', '.join(sorted(met & set(sys.modules))) or 0)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
