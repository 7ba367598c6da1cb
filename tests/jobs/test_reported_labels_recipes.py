"""Whole recipes of every protocol, task and layout read no reported label before the selection is saved."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from harness import Grid, HeadConfig, HeadOverride, Protocol, Recipe, Search, SmoothingGrid
from harness.data import affwild2, table_cells
from harness.metrics.tasks import EXPRESSIONS
from harness.runner.executors import SerialExecutor
from harness.runner.expansion import JobGrid
from harness.runner.preparation import prepare_inputs
from harness.runner.scheduler import JobScheduler
from harness.runner.search import GridSearch
from harness.tracking import record_json
from harness.utils.store import Store
from tests.helpers.logs import captured_logs

LINEAR = HeadConfig("logistic_regression", epochs=2)
RECIPE = Recipe(
    name="sealed",
    backbones=("tiny_mobilenet@random",),
    grids=(Grid("au", ("scores",), (LINEAR,)),),
    smoothing=SmoothingGrid(largest=4),
    pictures=False,
)
SEPARATE = HeadConfig(
    "separate", hidden=0, epochs=2, parts=(HeadOverride("expr", keep="accuracy"), HeadOverride("au", keep="loss"))
)


def with_(**changes):
    return dataclasses.replace(RECIPE, **changes)


RECIPES = {
    "fraction": RECIPE,
    "folds": with_(protocol=Protocol(folds=2)),
    "one slice, not refit": with_(protocol=Protocol(seed=0, refit=False)),
    "a slice for each seed": with_(protocol=Protocol(refit=False), seeds=(3, 4)),
    "search": with_(grids=(Grid("va", ("scores",), (LINEAR,)),), search=Search(trials=3, hidden=(4, 8), epochs=(2, 3))),
    "together": with_(
        protocol=Protocol(folds=3),
        grids=(
            Grid(
                "au", ("scores",), (LINEAR, dataclasses.replace(LINEAR, l2=1e-2), dataclasses.replace(LINEAR, epochs=3))
            ),
        ),
    ),
    "filled": with_(missing="filled", thresholds="half"),
    "mtl": with_(grids=(Grid("mtl", ("scores",), (HeadConfig("multitask", hidden=0, epochs=2), SEPARATE)),)),
    "stills": with_(grids=(Grid("expr", ("scores",), (LINEAR,)),)),
}
"""Those on videos, but for the last, which reads an image table."""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """One for all recipes here: no job of one is a job of another."""
    return tmp_path_factory.mktemp("recipes") / "store"


@pytest.fixture(scope="module")
def stills(small_set, tmp_path_factory):
    """An image table of a few crops of each video; a video is a subject."""
    root, random = tmp_path_factory.mktemp("table"), np.random.default_rng(0)
    rows = ["image,expression,subject,split"]
    for number, folder in enumerate(sorted((small_set / "cropped_aligned").iterdir())):
        for image in sorted(folder.iterdir())[:6]:
            name = f"{folder.name}_{image.name}"
            shutil.copyfile(image, root / name)
            rows.append(f"{name},{random.choice(EXPRESSIONS)},{folder.name},{'validation' if number % 3 else 'train'}")
    (root / "labels.csv").write_text("\n".join(rows) + "\n")
    return root


@pytest.fixture
def poisoned(monkeypatch, store):
    """The readers of labels raise when they are asked for the reported split while no choice is being scored."""
    asked, frames, multitask, cells = [], affwild2.read_frames, affwild2.read_multitask, table_cells.parse_targets

    def reported(what):
        assert list(store.glob("artifacts/jobs/.*.aside/choice.json")), f"{what} was read before a choice"
        asked.append(what)

    def read_frames(path, task):
        if "Validation_Set" in path.parts:
            reported(path)
        return frames(path, task)

    def read_multitask(path):
        if "validation" in path.name:
            reported(path)
        return multitask(path)

    def targets(whole, output, rows):
        if (whole.columns["split"][rows] == "validation").any():
            reported(whole.path)
        return cells(whole, output, rows)

    monkeypatch.setattr(affwild2, "read_frames", read_frames)
    monkeypatch.setattr(affwild2, "read_multitask", read_multitask)
    monkeypatch.setattr(table_cells, "parse_targets", targets)
    return asked


def run(recipe, data, store):
    """The records of a recipe, computed in this process as a run does; of a search those of its trials too."""
    expansion, done = JobGrid(recipe, prepare_inputs(recipe, data, Store(store))), []

    def batch(jobs, count_trial=None):
        pending = {job: report for job, report in jobs if not (job.folder / "record.json").is_file()}
        schedule = JobScheduler(SerialExecutor(), 1, pending, lambda job: job.predictions.is_dir(), lambda job: None)
        with captured_logs() as messages:
            for _, record in schedule:
                if isinstance(record, BaseException):
                    raise record
        assert not messages, f"a group that reads what it must not is left to its jobs, which do not: {messages}"
        found = [record_json.read(job.folder / "record.json") for job, _ in jobs]
        done.extend(found)
        return found

    batch([(job, None) for job in expansion.jobs()])
    for grid in recipe.grids if recipe.search else ():
        batch([(job, None) for job in GridSearch(expansion, grid, Store(store)).run(batch)])
    return done


@pytest.mark.parametrize("name", RECIPES)
def test_no_reported_label_is_read_before_the_selection_is_saved(small_set, stills, store, poisoned, name):
    recipe, data = RECIPES[name], stills if name == "stills" else small_set
    before = set(store.glob("artifacts/jobs/*"))
    scored = [
        record
        for record in run(recipe, data, store)
        if record.kind != "trial" and store / "artifacts" / "jobs" / record.job_id not in before
    ]
    challenge = {"au": "AU_Detection*", "va": "VA_Estimation*"}.get(recipe.tasks[0])
    files = len(list(data.glob(f"Third ABAW Annotations/{challenge}/Validation_Set/*.txt"))) if challenge else 1
    assert len(scored) >= 3 and len(poisoned) == files * len(scored)


@pytest.mark.parametrize("name", ["fraction", "together", "mtl", "stills"])
def test_only_published_protocol_reads_poisoned_labels(small_set, stills, store, poisoned, name):
    recipe = dataclasses.replace(RECIPES[name], protocol=Protocol("published"), baselines=False)
    with pytest.raises(AssertionError, match="was read before a choice"):
        run(recipe, stills if name == "stills" else small_set, store)


@pytest.fixture(scope="module")
def reversed_set(small_set, tmp_path_factory):
    """The same videos; the labels of the reported split are in another order."""
    root = tmp_path_factory.mktemp("reversed") / small_set.name
    shutil.copytree(small_set, root)
    files = list(root.glob("Third ABAW Annotations/*/Validation_Set/*.txt"))
    for file in files:
        header, *lines = file.read_text().splitlines()
        file.write_text("\n".join([header, *lines[::-1]]) + "\n")
    multitask = root / "Third ABAW Annotations/MTL_Challenge/validation_set.txt"
    header, *lines = multitask.read_text().splitlines()
    images, labels = zip(*(line.split(",", 1) for line in lines))
    multitask.write_text("\n".join([header, *map(",".join, zip(images, labels[::-1]))]) + "\n")
    assert files
    return root


@pytest.fixture(scope="module")
def reversed_stills(stills, tmp_path_factory):
    root = tmp_path_factory.mktemp("reversed_table") / stills.name
    shutil.copytree(stills, root)
    rows = [line.split(",") for line in (root / "labels.csv").read_text().splitlines()]
    held = [row for row in rows if row[-1] == "validation"]
    for row, label in zip(held, [row[1] for row in held[::-1]]):
        row[1] = label
    (root / "labels.csv").write_text("\n".join(map(",".join, rows)) + "\n")
    return root


@pytest.mark.parametrize("name", RECIPES)
def test_reported_labels_change_scores_but_not_selections(
    small_set, reversed_set, stills, reversed_stills, store, name
):
    recipe, found = RECIPES[name], {}
    for data in (stills, reversed_stills) if name == "stills" else (small_set, reversed_set):
        for record in run(recipe, data, store):
            folder = store / "artifacts" / "jobs" / record.job_id
            choice = {**json.loads((folder / "choice.json").read_text()), "job": None}
            choice["model"] = {name: sha for name, sha in choice["model"].items() if name.endswith(".safetensors")}
            kept = (
                []
                if record.backbone == "previous label"
                else [(folder / part).read_bytes() for part in ("selection.npz", "reported.npz")]
            )
            config = json.dumps({**record.config, "data": None, "seed": record.seed}, sort_keys=True)
            found.setdefault(config, {})[record.job_id] = choice, kept, record.selection, record.metrics
    pairs = [tuple(pair.values()) for pair in found.values()]
    assert len(pairs) >= 3 and all(len(pair) == 2 and pair[0][:3] == pair[1][:3] for pair in pairs)
    assert sum(here[3] != there[3] for here, there in pairs) >= 2
