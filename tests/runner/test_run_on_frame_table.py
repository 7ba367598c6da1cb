"""A run on a frame table: the same labels and crops in the layout of Aff-Wild2 give the same scores."""

import json

import numpy as np
import pytest
from PIL import Image

from harness.cli import main
from harness.metrics.tasks import EXPRESSIONS
from tests.helpers.data_folders import EXPR, annotate, write
from tests.helpers.small_run import write_recipe

RECIPE = """
from harness import Grid, HeadConfig, Recipe, SmoothingGrid

recipe = Recipe(
    name="small",
    backbones=("tiny_mobilenet@random",),
    grids=(Grid("expr", ("embeddings",), (HeadConfig("logistic_regression", hidden=0, epochs=3),)),),
    smoothing=SmoothingGrid(largest=3),
    seeds=(0,),
    pictures=False,
)
"""
LABELS = ("anger", "happiness", "sadness", "surprise")


def draw(folder, seed):
    """Write eight frames of a video whose brightness and texture follow its label, and return the labels."""
    random = np.random.default_rng(seed)
    codes = random.integers(0, len(LABELS), 2).repeat(4)
    folder.mkdir(parents=True)
    for frame, code in enumerate(codes.tolist(), start=1):
        pixels = random.integers(0, 60, (16, 16, 3)) + 45 * code
        Image.fromarray(pixels.astype(np.uint8)).resize((64, 64)).save(folder / f"{frame:05d}.jpg")
    return [LABELS[code] for code in codes]


def test_scores_are_those_of_the_same_labels_in_the_layout_of_aff_wild2(tmp_path, capsys):
    release, frames = tmp_path / "release", tmp_path / "table"
    rows = []
    for number in range(10):
        video, validation = f"video{number}", number >= 6
        labels = draw(release / "cropped" / video, number)
        codes = [[name.lower() for name in EXPRESSIONS].index(label) for label in labels]
        annotate(release, EXPR, "Validation_Set" if validation else "Train_Set", video, codes)
        split = "validation" if validation else "train"
        rows += [f"{video},{frame},{label},{split}" for frame, label in enumerate(labels, start=1)]
    write(frames / "labels.csv", "video,frame,expression,split", *reversed(rows))
    (frames / "cropped").symlink_to(release / "cropped")
    recipe = write_recipe(tmp_path, RECIPE)
    for data in (release, frames):
        assert main(["run", str(recipe), "--data", str(data), "--store", str(tmp_path / "store"), "--jobs", "1"]) == 0
    capsys.readouterr()
    assert main(["leaderboard", "--task", "expr", "--store", str(tmp_path / "store"), "--format", "json"]) == 0
    boards = {"release": {}, "table": {}}
    for row in json.loads(capsys.readouterr().out):
        if row["kind"] != "published":
            boards[row["dataset"]][row["backbone"], row["head"]] = row
    assert boards["release"].keys() == boards["table"].keys() and len(boards["table"]) > 1
    for key, row in boards["table"].items():
        for name in ("value", "kernel", "radius", "coverage", "ci_low"):
            assert row[name] == pytest.approx(boards["release"][key][name]), (key, name)
