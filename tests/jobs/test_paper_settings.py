"""Settings of the paper from the command line, on a dataset with missing crops."""

import json
import shutil

import pytest

from harness.cli import main
from tests.helpers import small_run

RECIPE = """
from harness import Grid, HeadConfig, Recipe, SmoothingGrid

recipe = Recipe(
    name="switched",
    backbones=("tiny_mobilenet@random",),
    grids=(Grid("au", ("embeddings",), (HeadConfig("mlp", hidden=8, epochs=6, learning_rate=3e-3, batch_size=32),)),),
    smoothing=SmoothingGrid(smallest=1, largest=2),
    baselines=False,
    pictures=False,
)
"""
SWITCHES = {
    "": {},
    "class_weights=none": {"head": {"class_weights": "none"}},
    "heads.keep=loss": {"head": {"keep": "loss"}},
    "thresholds=half": {"thresholds": "half"},
    "missing=filled": {"missing": "filled"},
    "gaps=published": {"smoothing": {"gaps": "published"}},
    "folds=4": {"protocol": {"folds": 4, "refit": True}},
    "refit=false": {"protocol": {"refit": False}},
    "protocol=published": {"protocol": {"name": "published", "seed": 0, "refit": False}},
}


@pytest.fixture(scope="module")
def rows(empty_store, tmp_path_factory):
    """The rows of one store in which the recipe ran with each switch, by run, and the run of each switch."""
    from harness.data.synthetic import make

    root, runs = tmp_path_factory.mktemp("switches"), {}
    make(root / "data", videos=10, frames=36, seed=5, stills=0)
    for image in (root / "data").glob("cropped_aligned/*/*.jpg"):
        if int(image.stem) % 10 in (3, 4, 5):
            image.unlink()
    recipe, store = small_run.write_recipe(root, RECIPE), shutil.copytree(empty_store, root / "store")
    for switch in SWITCHES:
        before = set(store.glob("artifacts/jobs/*"))
        chosen = ["--set", switch] if switch else []
        assert (
            main(["run", str(recipe), "--data", str(root / "data"), "--store", str(store), "--jobs", "1", *chosen]) == 0
        )
        (runs[switch],) = (folder.name.split("-")[0] for folder in set(store.glob("artifacts/jobs/*")) - before)
    out = root / "rows.json"
    assert main(["leaderboard", "--store", str(store), "--format", "json", "--out", str(out)]) == 0
    return {row["run_id"]: row for row in json.loads(out.read_text())}, runs, store


def test_every_setting_has_a_separate_row(rows):
    listed, runs, _ = rows
    assert set(listed) == set(runs.values()) and len(set(runs.values())) == len(SWITCHES)


@pytest.mark.parametrize("switch", SWITCHES)
def test_setting_is_recorded(rows, switch):
    _, runs, store = rows
    plain, found = (
        json.loads((store / "artifacts/jobs" / f"{runs[name]}-s0/record.json").read_text())["config"]
        for name in ("", switch)
    )
    for name, value in SWITCHES[switch].items():
        expected = {**plain[name], **value} if isinstance(value, dict) else value
        assert found[name] == expected
    assert {name: found[name] for name in found if name not in SWITCHES[switch]} == {
        name: plain[name] for name in plain if name not in SWITCHES[switch]
    }


def outcome(store, run):
    """What a run learned, predicted and scored, as text."""
    job = store / "artifacts/jobs" / f"{run}-s0"
    record, training = (json.loads((job / name).read_text()) for name in ("record.json", "training.json"))
    return json.dumps([training["history"], record["curve"], record["thresholds"], record["metrics"]])


@pytest.mark.training
def test_setting_changes_training_prediction_or_score(rows):
    """Two switches may end at the same score, not at the same losses, curves and scores."""
    listed, runs, store = rows
    assert len({outcome(store, run) for run in runs.values()}) == len(runs)
    assert {row["coverage"] for row in listed.values()} == {listed[runs[""]]["coverage"]}
    assert listed[runs[""]]["coverage"] < 0.8
    assert listed[runs["protocol=published"]]["optimistic"] and not listed[runs["folds=4"]]["optimistic"]
