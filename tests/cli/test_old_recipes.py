"""Recipe files written for the previous version."""

from harness import BackboneRecipe, StillsConfig
from harness.runner import find_recipe
from tests.helpers.logs import captured_logs
from tests.helpers.small_run import JOBS, framelight, write_recipe

RECIPE = """
from harness.heads.config import HeadConfig
from harness.recipes import Grid, Recipe, Smoothing

recipe = Recipe(
    name="small",
    backbones=("tiny_mobilenet@random",),
    grids=(
        Grid("expr", ("embeddings", "scores"), (HeadConfig("logistic_regression", hidden=0, epochs=3),)),
        Grid("au", ("embeddings",), (HeadConfig("mlp", hidden=16, epochs=2),)),
    ),
    smoothing=Smoothing(largest=6),
)
"""
BACKBONE = """
from harness.pretraining.config import Augmentation, Hardware, Schedule, StillsConfig
from harness.recipes import BackboneRecipe

recipe = BackboneRecipe("mine", StillsConfig(), Hardware(), None)
"""


def test_old_recipe_runs_the_same_jobs_with_a_warning(finished, small_set, tmp_path):
    store, _ = finished
    path = write_recipe(tmp_path, RECIPE)
    done = framelight("run", path, "--data", small_set, "--store", store, "--jobs", 2)
    assert done.returncode == 0 and f"0 jobs run, {JOBS} already finished" in done.stderr
    warnings = [line for line in done.stderr.splitlines() if line.startswith("warning: ")]
    assert warnings == [
        f"warning: {path}:2: harness.heads.config is deprecated and will be removed in the next version; import from "
        "harness instead (Part is now HeadOverride)",
        f"warning: {path}:3: harness.recipes is deprecated and will be removed in the next version; import from "
        "harness instead (KERNELS is now DEFAULT_KERNELS, Smoothing is now SmoothingGrid)",
    ]


def test_old_backbone_recipe_is_read(tmp_path):
    path = write_recipe(tmp_path, BACKBONE)
    with captured_logs() as messages:
        assert find_recipe(str(path), BackboneRecipe).training == StillsConfig()
    assert [line.partition(" is deprecated")[0] for line in messages] == [
        f"warning: {path}:2: harness.pretraining.config",
        f"warning: {path}:3: harness.recipes",
    ]


def test_new_recipe_does_not_warn(finished):
    assert "deprecated" not in finished[1].stderr
