"""A run on a frame table: the same labels and crops in the layout of Aff-Wild2 give the same scores."""

import json

import pytest

from harness.cli import main
from harness.data.registry import open_dataset
from harness.metrics.tasks import ACTION_UNITS, EXPRESSIONS
from tests.helpers.small_run import write_recipe

RECIPE = """
from harness import Grid, HeadConfig, Recipe, SmoothingGrid

recipe = Recipe(
    name="small",
    backbones=("tiny_mobilenet@random",),
    grids=(
        Grid("expr", ("embeddings",), (HeadConfig("logistic_regression", hidden=0, epochs=3),)),
        Grid("au", ("embeddings",), (HeadConfig("logistic_regression", hidden=0, epochs=2),)),
    ),
    smoothing=SmoothingGrid(largest=6),
    seeds=(0,),
)
"""


def reshape(source, root):
    """Write the labels of a dataset as a frame table, shuffled, beside the same crops."""
    root.mkdir()
    (root / "cropped_aligned").symlink_to(source / "cropped_aligned")
    dataset, cells = open_dataset(source), {}
    for split in ("train", "validation"):
        for task in ("expr", "au"):
            labels = dataset.labels(task, split)
            for sequence, frame, target in zip(labels.sequence, labels.frame, labels.targets[task].tolist()):
                key = labels.sequences[sequence], int(frame), split
                cells.setdefault(key, {})[task] = target
    lines = [f"video,frame,split,expression,{','.join(ACTION_UNITS)}"]
    for (video, frame, split), targets in cells.items():
        code, action_units = targets.get("expr", -1), targets.get("au", [""] * 12)
        expression = EXPRESSIONS[code] if code >= 0 else ""
        lines.append(",".join([video, str(frame), split, expression, *map(str, action_units)]))
    (root / "labels.csv").write_text("\n".join([lines[0], *reversed(lines[1:])]) + "\n")
    return root


def board(store, capsys, data, recipe):
    assert main(["run", str(recipe), "--data", str(data), "--store", str(store), "--jobs", "1"]) == 0
    rows = []
    for task in ("expr", "au"):
        capsys.readouterr()
        assert main(["leaderboard", "--task", task, "--store", str(store), "--format", "json"]) == 0
        rows += json.loads(capsys.readouterr().out)
    return {(row["task"], row["backbone"], row["head"]): row for row in rows if row["kind"] != "published"}


def test_scores_are_those_of_the_same_labels_in_the_layout_of_aff_wild2(tmp_path, small_set, capsys):
    recipe = write_recipe(tmp_path, RECIPE)
    expected = board(tmp_path / "1", capsys, small_set, recipe)
    found = board(tmp_path / "2", capsys, reshape(small_set, tmp_path / "table"), recipe)
    assert found.keys() == expected.keys() and len(found) > 2
    for key, row in found.items():
        for name in ("value", "kernel", "radius", "coverage"):
            assert row[name] == pytest.approx(expected[key][name]), (key, name)
