"""`framelight export` of a run on an image table: only the images that its score depends on are read."""

import shutil

import numpy as np
import pytest

from harness.cli import main
from harness.export import parity
from harness.leaderboard.finished_run import find_finished_run
from harness.tracking import export_records, tracked_records
from harness.utils.store import Store
from tests.helpers import small_run
from tests.helpers.drawn_stills import draw

RECIPE = """
from harness import Grid, HeadConfig, Recipe

head = HeadConfig("logistic_regression", hidden=0, epochs=2)
recipe = Recipe(name="stills", backbones=("tiny_mobilenet@random",), baselines=False, pictures=False,
                grids=(Grid("expr", ("embeddings",), (head,)),))
"""


def test_only_labeled_images_of_the_reported_split_are_read(exported, tmp_path, short_cost, monkeypatch):
    table, read = draw(tmp_path / "faces", annotated=True), []
    store = shutil.copytree(exported.parent / "store", tmp_path / "store")  # it has the backbone in ONNX
    recipe = small_run.write_recipe(tmp_path, RECIPE)
    assert main(["run", str(recipe), "--data", str(table.csv), "--store", str(store), "--jobs", "1"]) == 0
    decode = parity.decode_image
    monkeypatch.setattr(parity, "decode_image", lambda path, upright: read.append(path) or decode(path, upright))
    command = ["export", "best:expr@faces", "--store", str(store), "--out", str(tmp_path / "out"), "--no-model"]
    assert main([*command, "--precision", "float32"]) == 0

    run = find_finished_run(tracked_records(Store(store)), "best:expr@faces", None, Store(store))
    labels = table.labels("expr", "validation")
    rows = labels.frame[labels.targets["expr"] >= 0] - 1
    assert sorted(read) == [table.paths[row] for row in rows] and len(rows) == run.record.scored == 28
    assert len(run.load_predictions().frames) == len(table.table) == 96
    known = next(one for one in export_records.read_exports(Store(store)) if one.job_id == run.record.job_id)
    assert known.crops == 28 and known.largest <= 1e-4 and known.agreement == 1
    assert known.value == pytest.approx(run.record.metrics["P_EXPR"], abs=1e-6)


def test_predictions_of_some_rows():
    predictions = parity.Predictions(
        ("a", "b", "c"), np.array([2, 1, 3]), np.array([1, 4, 2, 1, 2, 9]), np.arange(6.0)[:, None]
    )
    taken = predictions.take(np.array([1, 4, 5]))
    assert taken.sequences == ("a", "b", "c") and taken.lengths.tolist() == [1, 0, 2]
    assert taken.frames.tolist() == [4, 2, 9] and taken.outputs.ravel().tolist() == [1, 4, 5]
