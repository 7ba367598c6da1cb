"""Names and paths of the previous version still work, with a warning."""

import importlib
import subprocess
import sys

import pytest

import harness

OLD = {
    "harness.recipes": (
        "BackboneRecipe",
        "Grid",
        "Protocol",
        "Recipe",
        "Search",
        "Smoothing",
        "SyntheticStills",
        "SyntheticVideos",
        "TrainedBackbone",
        "apply_settings",
        "find_recipe",
        "recipe_names",
    ),
    "harness.recipes.recipe": (
        "COMPUTE",
        "FEATURES",
        "KERNELS",
        "MISSING",
        "MOST_SEEDS",
        "PROTOCOLS",
        "PRUNERS",
        "THRESHOLDS",
        "Grid",
        "Protocol",
        "Recipe",
        "Search",
        "Smoothing",
        "SyntheticStills",
        "SyntheticVideos",
        "TrainedBackbone",
    ),
    "harness.recipes.backbone": ("BackboneRecipe", "NAME"),
    "harness.recipes.finding": ("KINDS", "Kind", "find_recipe", "recipe_names"),
    "harness.recipes.settings": ("apply_settings",),
    "harness.heads.config": (
        "CLASS_WEIGHTS",
        "HeadConfig",
        "INVALID",
        "KEEP",
        "KINDS",
        "OUTPUTS",
        "Part",
        "SCHEDULES",
        "TASK_WEIGHTS",
        "VA_LOSSES",
    ),
    "harness.pretraining.config": (
        "ACCELERATORS",
        "ALSO",
        "Augmentation",
        "Expressions",
        "Hardware",
        "Identities",
        "KEEPS",
        "PRECISIONS",
        "REVISION",
        "SAMPLINGS",
        "SHAPES",
        "STRATEGIES",
        "Schedule",
        "StillsConfig",
    ),
    "harness.streaming": ("Streaming",),
}
"""What the modules of the previous version defined."""


@pytest.mark.parametrize("path", OLD)
def test_old_names_refer_to_new_objects(path):
    module = importlib.import_module(path)
    for name in OLD[path]:
        with pytest.warns(DeprecationWarning, match=rf"^{path} is deprecated .*; import from harness"):
            found = getattr(module, name)
        assert name in module.__all__
        if name in harness.__all__ or name in harness._RENAMED:
            assert found is getattr(harness, harness._RENAMED.get(name, name))
    with pytest.raises(AttributeError, match=f"module '{path}' has no attribute 'Reciep'"):
        getattr(module, "Reciep")  # noqa: B009


@pytest.mark.parametrize("old", harness._RENAMED)
def test_class_has_its_old_name(old):
    with pytest.warns(DeprecationWarning, match=f"harness.{old} is deprecated .*; it is now {harness._RENAMED[old]}$"):
        assert getattr(harness, old) is getattr(harness, harness._RENAMED[old])


def test_module_lists_renamed_classes():
    with pytest.warns(DeprecationWarning, match=r"\(Part is now HeadOverride\)"):
        importlib.import_module("harness.heads.config").HeadConfig  # noqa: B018


def test_new_names_are_not_in_old_modules():
    with pytest.raises(AttributeError, match="has no attribute 'InputError'"):
        importlib.import_module("harness.recipes.recipe").InputError  # noqa: B018


def test_every_module_that_moved_has_its_names():
    for names in harness._MOVED.values():
        for module, entries in names.items():
            assert all(hasattr(importlib.import_module(module), entry.rpartition("=")[2]) for entry in entries)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_constant_that_was_renamed_has_its_old_value():
    assert importlib.import_module("harness.recipes.recipe").KERNELS == ("mean", "median")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_star_import_binds_the_old_names():
    names = {}
    exec("from harness.recipes import *", names)
    assert names["Recipe"] is harness.Recipe and names["Smoothing"] is harness.SmoothingGrid


@pytest.mark.parametrize("old, new", [("curve", "smooth_many_radii"), ("delay", "mean_lag")])
def test_smoothing_functions_have_old_names(old, new):
    smoothing = importlib.import_module("harness.smoothing")
    with pytest.warns(DeprecationWarning, match=f"harness.smoothing.{old} is deprecated .*; it is now {new}"):
        assert getattr(smoothing, old) is getattr(smoothing, new)


def test_each_statement_warns_once_at_its_line(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "import harness.streaming\nfrom harness.recipes import Grid, Recipe, Smoothing\n"
        "from harness.recipes.recipe import (\n    FEATURES,\n    Search,\n)\n\n"
        "def late():\n    from harness.recipes import Grid\n\nlate(), late()\n"
        "harness.streaming.Streaming('none', 0)\n"
    )
    done = subprocess.run([sys.executable, "-W", "default", file], capture_output=True, text=True)
    lines = [line.split(": ") for line in done.stderr.splitlines() if "DeprecationWarning" in line]
    assert done.returncode == 0, done.stderr
    assert [line[0] for line in lines] == [f"{file}:{number}" for number in (2, 3, 9, 12)]


def test_other_missing_modules_raise():
    with pytest.raises(ModuleNotFoundError, match="No module named 'harness.recipe'"):
        importlib.import_module("harness.recipe")
