"""Settings that change nothing are named; those that change something are not."""

import dataclasses

import pytest

from harness import Grid, HeadConfig, Recipe, SmoothingGrid
from harness.runner import apply_settings, find_recipe
from tests.helpers.logs import captured_logs

LINEAR = Recipe("linear", (Grid("expr", heads=(HeadConfig("logistic_regression"),)),), ("tiny_resnet@random",))
OWN = dataclasses.replace(LINEAR, grids=(Grid("va", backbones=("tiny_mobilenet@random",)),))
STILLS = dataclasses.replace(OWN, smoothing=SmoothingGrid(largest=0))
TWO = dataclasses.replace(STILLS, grids=(Grid("va"), Grid("expr", smoothings=(SmoothingGrid(largest=50),))))
MTL = dataclasses.replace(LINEAR, grids=(Grid("mtl", heads=(HeadConfig("multitask"),)),))
SEPARATE = dataclasses.replace(LINEAR, grids=(Grid("mtl", heads=(HeadConfig("separate"),)),))


def warnings(recipe, *settings):
    with captured_logs() as messages:
        apply_settings(recipe, list(settings))
    return messages


@pytest.mark.parametrize(
    "recipe, setting, reason",
    [
        (LINEAR, "hidden=64", "no head has a hidden layer"),
        (LINEAR, "thresholds=half", "no task has action units"),
        (LINEAR, "task_weights=balanced", "no head is trained for several outputs together"),
        (SEPARATE, "task_weights=balanced", "no head is trained for several outputs together"),
        (LINEAR, "va_loss=mse", "it is used for va only"),
        (OWN, "class_weights=none", "it is used for expr and au only"),
        (OWN, "heads.label_smoothing=0.1", "it is used for expr only"),
        (OWN, "backbones=tiny_resnet@random", "every grid lists its own backbones; set grids.backbones"),
        (STILLS, "kernels=median", "no radius is larger than 0, so nothing is smoothed; set largest"),
        (TWO, "smoothing.kernels=median", "no radius is larger than 0, so nothing is smoothed; set largest"),
    ],
)
def test_setting_without_effect_is_named(recipe, setting, reason):
    assert warnings(recipe, setting) == [
        f"warning: --set {setting} changes nothing in recipe '{recipe.name}': {reason}"
    ]


def test_settings_are_judged_together():
    assert warnings(LINEAR, "hidden=64", "heads=mlp") == [
        "warning: --set hidden=64 changes nothing, because --set heads=mlp replaces it; give it last"
    ]
    assert warnings(LINEAR, "heads=mlp", "hidden=64") == warnings(LINEAR, "folds=3", "protocol=held-out") == []
    assert not warnings(STILLS, "kernels=median", "largest=3")
    [folds] = warnings(MTL, "folds=3", "refit=false")
    assert folds.endswith("with protocol.folds, every training video is held out once, and models are refit")
    [searched] = warnings(MTL, "trials=5", "heads.epochs=3")
    assert searched.endswith("the search chooses it; set search.epochs")
    [trained] = warnings(find_recipe("quickstart"), "backbones=tiny_resnet@random", "trained.seeds=0,1")
    assert trained.endswith("no grid uses a backbone that the recipe trains")


@pytest.mark.parametrize(
    "setting",
    ("hidden=64", "thresholds=half", "task_weights=balanced", "va_loss=mse", "class_weights=none", "kernels=median")
    + ("heads.label_smoothing=0.1", "backbones=tiny_mobilenet@random", "folds=3", "refit=false", "heads.epochs=3"),
)
def test_setting_with_an_effect_is_not(setting):
    assert warnings(MTL, setting) == []


def test_paper_recipes_take_the_settings_of_the_pages():
    settings = ("features=embeddings", "heads=mlp", "hidden=256", "largest=200")
    assert warnings(find_recipe("abaw3_expr"), *settings) == []
    assert warnings(find_recipe("abaw3_expr"), "trained.seeds=0,1,2", "seeds=0,1,2", "protocol.seed=0") == []
