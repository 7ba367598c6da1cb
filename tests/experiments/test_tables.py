"""Recipes of the paper's tables: their jobs and the published scores."""

import importlib
from pathlib import Path

import pytest

from harness import HeadConfig, Recipe
from harness.leaderboard.published import DATASET, published_figures
from harness.runner import apply_settings, find_recipe, recipe_names
from harness.runner.expansion import JobGrid
from harness.runner.prepared_inputs import PreparedBackbone, PreparedInputs
from harness.utils.errors import InputError
from harness.utils.store import Store

AFFECTNET = ("Anger", "Contempt", "Disgust", "Fear", "Happiness", "Neutral", "Sadness", "Surprise")
COUNTS = {
    "table_expr": 6 * 3 * 2,
    "table_va": 6 * 3 * 2,
    "table_au": 6 * 3 * 2,
    "table_smoothing": 11 + 11 + 14,
    "table_mtl": 6 * 2 * 3,
    "abaw4_mtl": 3 + 2 * 2,
}
TABLES = tuple(COUNTS)


def expanded(recipe):
    backbones = tuple(
        PreparedBackbone(name, f"checkpoint {name}", f"{name} hash", False, 4_000_000, f"{name} entry", AFFECTNET)
        for name in recipe.all_backbones()
    )
    prepared = PreparedInputs(
        Path("data"), Store("store"), "affwild2", True, "images", dict.fromkeys(recipe.tasks, "labels"), backbones
    )
    return [job for job in JobGrid(recipe, prepared).jobs() if job.configuration.kind == "run"]


@pytest.mark.parametrize(("name", "count"), COUNTS.items())
def test_table_has_every_combination_once(name, count):
    jobs = expanded(find_recipe(name))
    assert len(jobs) == count == len({job.job_id for job in jobs})
    assert {job.configuration.protocol.name for job in jobs} == {"published"}


def test_one_command_runs_every_table():
    everything = expanded(find_recipe("abaw3_tables"))
    trained = {job.training_id for job in everything}
    for name in TABLES[:-1]:
        assert {job.training_id for job in expanded(find_recipe(name))} <= trained, name
    filters = 6 * (11 + 11 + 14) - 6 * 3
    assert len(everything) == 6 * (6 + 6 + 6 + 6) + filters, "filters of width 1 are the rows of the other tables"
    assert len(trained) == 6 * (6 + 6 + 6 + 6), "filters are replays"


@pytest.mark.parametrize("name", [*TABLES, "abaw3_tables"])
def test_set_backbones_replaces_all_backbones(name):
    recipe = apply_settings(find_recipe(name), ["backbones=mine,theirs"])
    assert {job.backbone for job in expanded(recipe)} == {"mine", "theirs"}
    assert {job.seed for job in expanded(apply_settings(recipe, ["seeds=3,4"]))} == {3, 4}
    assert {job.configuration.head.epochs for job in expanded(apply_settings(recipe, ["heads.epochs=1"]))} == {1}


def test_tables_hold_the_published_figures():
    """Each of the author's figures on this data has a run of its own beside it."""
    jobs = [job.configuration for job in expanded(find_recipe("abaw3_tables"))]
    backbones = dict(zip((c.entry for c in jobs), (job.backbone for job in expanded(find_recipe("abaw3_tables")))))
    ours = {
        (
            backbones[c.entry],
            c.task,
            c.features,
            c.head.kind,
            c.head.hidden,
            c.smoothing.largest and c.smoothing.kernels[0],
            c.smoothing.largest,
        )
        for c in jobs
    }
    theirs = [
        record
        for record in published_figures()
        if record.dataset == DATASET and "head" in record.config and record.features and record.radius <= 250
    ]
    absent = {
        (r.backbone, r.task)
        for r in theirs
        if (r.backbone, r.task, r.features, r.head, r.config["head"]["hidden"], r.radius and r.kernel, r.radius)
        not in ours
    }
    assert len(theirs) > 80 and absent == {
        ("enet_b0_8_va_mtl", "expr"),
        ("mobilevit", "expr"),
        ("mobilefacenet", "expr"),
    }, "those are of later years"


def test_heads_match_the_paper():
    paper = importlib.import_module("experiments._paper")
    for head in (paper.EXPR_MLP, paper.EXPR_LINEAR, paper.MLP, paper.LINEAR, paper.DIRECT, paper.DENSE):
        assert (head.learning_rate, head.schedule, head.standardise) == (1e-3, "constant", False)
        assert (head.class_weights, head.va_loss, head.task_weights) == ("published", "ccc", "equal")
        assert head.l2 == (0 if head.kind == "mlp" else 1 / head.batch_size)
    assert (paper.EXPR_MLP.keep, paper.EXPR_MLP.batch_size, paper.EXPR_MLP.epochs) == ("accuracy", 256, 10)
    assert (paper.MLP.keep, paper.MLP.batch_size, paper.MLP.epochs) == ("loss", 512, 20)
    assert (paper.DIRECT.invalid, paper.DIRECT.batch_size, paper.DIRECT.hidden) == ("zeroed", 256, 0)


def test_separate_network_is_that_of_the_fourth_challenge():
    head: HeadConfig = importlib.import_module("experiments._paper").SEPARATE_SCORES
    kinds = {
        name: (
            head.part(name).kind,
            head.part(name).epochs,
            head.part(name).keep,
            head.part(name).l2,
            head.features(name, "embeddings+scores"),
        )
        for name in ("expr", "va", "au")
    }
    assert kinds == {
        "expr": ("logistic_regression", 10, "accuracy", 1 / 512, "embeddings+scores"),
        "va": ("logistic_regression", 20, "loss", 1 / 512, "scores"),
        "au": ("mlp", 10, "loss", 0.0, "embeddings+scores"),
    }


@pytest.mark.parametrize("name", [name for name in recipe_names(Recipe) if name not in ("quickstart",)])
def test_recipe_docstring_has_summary_and_command(name):
    text = importlib.import_module(f"experiments.{name}").__doc__
    assert f"framelight run {name} --data" in text and len(text.splitlines()[0]) > 20


def test_no_recipe_names_backbones_in_single_grids():
    """--set backbones=... would not reach them."""
    assert not [name for name in recipe_names(Recipe) if any(grid.backbones for grid in find_recipe(name).grids)]


def test_missing_weights_raise_with_import_command(tmp_path):
    from harness.runner.preparation import prepare_inputs

    with pytest.raises(InputError, match=r"(?s)enet_b0_7, .*enet_b2_8.*backbones import FILE --name mobilenet_7"):
        prepare_inputs(find_recipe("table_mtl"), tmp_path, Store(tmp_path / "store"))
