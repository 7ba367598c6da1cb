"""Expansion of recipes into jobs."""

from pathlib import Path

import pytest

from harness import FEATURES, Grid, HeadConfig, HeadOverride, Protocol, Recipe, SmoothingGrid
from harness.runner.expansion import JobGrid
from harness.runner.prepared_inputs import PreparedBackbone, PreparedInputs
from harness.utils.errors import InputError
from harness.utils.store import Store

AFFECTNET = ("Anger", "Contempt", "Disgust", "Fear", "Happiness", "Neutral", "Sadness", "Surprise")
BACKBONES = {
    "emotions": PreparedBackbone("emotions", "w", "h1", False, 10, "e1", AFFECTNET),
    "everything": PreparedBackbone("everything", "w", "h2", False, 10, "e2", (*AFFECTNET, "Valence", "Arousal")),
    "identities": PreparedBackbone("identities", "w", "h3", False, 10, "e3", ("s0", "s1")),
    "untrained@random": PreparedBackbone("untrained", "random", "h4", True, 10, "e4", AFFECTNET),
}
LINEAR = HeadConfig("logistic_regression", hidden=0)


def expansion(*grids, temporal=True, backbones=tuple(BACKBONES), **settings):
    recipe = Recipe(name="r", grids=grids, backbones=backbones, **settings)
    prepared = PreparedInputs(
        Path("data"),
        Store(Path("store")),
        "set",
        temporal,
        "images",
        {task: f"labels of {task}" for task in recipe.tasks},
        tuple(BACKBONES[name] for name in recipe.all_backbones()),
    )
    return JobGrid(recipe, prepared)


def shown(jobs, *kinds):
    return [
        (job.configuration.kind, job.configuration.task, job.backbone, job.configuration.features)
        for job in jobs
        if job.configuration.kind in kinds
    ]


def test_each_task_has_its_baselines_once():
    jobs = expansion(Grid("expr", FEATURES), Grid("va"), Grid("expr", ("scores",), (LINEAR,)), seeds=(0, 1)).jobs()
    expected = [
        ("baseline", "expr", "majority class", "none"),
        ("baseline", "expr", "previous label", "labels"),
        ("baseline", "expr", "random features", "noise"),
        ("baseline", "expr", "emotions", "scores"),
        ("baseline", "expr", "everything", "scores"),
        ("baseline", "va", "mean value", "none"),
        ("baseline", "va", "previous label", "labels"),
        ("baseline", "va", "random features", "noise"),
    ]
    assert shown(jobs, "baseline") == expected
    assert shown(expansion(Grid("expr"), baselines=False).jobs(), "baseline") == []


def test_stills_have_no_previous_label_and_one_smoothing():
    made = expansion(Grid("expr"), temporal=False, smoothing=SmoothingGrid(gaps="nearest"), missing="filled")
    assert "previous label" not in {job.backbone for job in made.jobs()}
    plain = expansion(Grid("expr"), temporal=False)
    assert [job.job_id for job in made.jobs()] == [job.job_id for job in plain.jobs()]


def test_label_baselines_and_leaking_scores_are_flagged():
    jobs = expansion(Grid("expr", FEATURES), Grid("va", FEATURES), Grid("mtl", ("scores",))).jobs()
    assert {job.flags for job in jobs if job.configuration.features == "labels"} == {("uses_labels",)}
    own = {
        (job.configuration.task, job.backbone, job.configuration.features)
        for job in jobs
        if job.flags == ("own_scores",)
    }
    both = [(name, features) for name in ("emotions", "everything") for features in ("scores", "embeddings+scores")]
    assert own == {
        *(("expr", *it) for it in both),
        ("va", *both[2]),
        ("va", *both[3]),
        ("mtl", "emotions", "scores"),
        ("mtl", "everything", "scores"),
    }
    assert all(not job.flags for job in jobs if job.configuration.kind == "baseline" and job.backbone in BACKBONES)


def test_grid_backbones():
    jobs = expansion(
        Grid("expr"), Grid("au", backbones=("identities", "everything")), backbones=("emotions",), baselines=False
    ).jobs()
    assert shown(jobs, "run") == [
        ("run", "expr", "emotions", "embeddings"),
        ("run", "au", "identities", "embeddings"),
        ("run", "au", "everything", "embeddings"),
    ]
    alone = Recipe(name="r", grids=(Grid("au", backbones=("identities",)),), backbones=("emotions",))
    assert alone.all_backbones() == ("identities",)


def test_several_smoothings_share_one_training():
    several = tuple(SmoothingGrid((kernel,), radius, radius) for kernel in ("mean", "median") for radius in (2, 7))
    jobs = expansion(Grid("expr", smoothings=several), backbones=("emotions",), baselines=False, seeds=(0, 1)).jobs()
    assert [job.configuration.smoothing for job in jobs] == [s for s in several for _ in range(2)]
    assert len({job.job_id for job in jobs}) == 8 and len({job.training_id for job in jobs}) == 2


@pytest.mark.parametrize(
    "changes", [{"thresholds": "half"}, {"missing": "filled"}, {"smoothing": SmoothingGrid(gaps="nearest")}]
)
def test_postprocessing_shares_a_training(changes):
    (job,) = expansion(Grid("au"), backbones=("emotions",), baselines=False).jobs()
    (other,) = expansion(Grid("au"), backbones=("emotions",), baselines=False, **changes).jobs()
    assert job.job_id != other.job_id and job.training_id == other.training_id


def test_ineffective_setting_keeps_the_id():
    for task, changes in (("expr", {"thresholds": "half"}), ("va", {"thresholds": "half"})):
        (job,) = expansion(Grid(task), backbones=("emotions",), baselines=False).jobs()
        (other,) = expansion(Grid(task), backbones=("emotions",), baselines=False, **changes).jobs()
        assert job.job_id == other.job_id
    previous = set()
    for protocol in (Protocol(), Protocol(folds=3), Protocol(fraction=0.4, seed=2), Protocol("published")):
        jobs = expansion(Grid("expr"), protocol=protocol).jobs()
        previous |= {job.job_id for job in jobs if job.backbone == "previous label"}
    assert len(previous) == 2


def test_figures_are_for_runs_and_optional():
    assert {job.configuration.kind for job in expansion(Grid("expr")).jobs() if job.pictures} == {"run"}
    assert not any(job.pictures for job in expansion(Grid("expr"), pictures=False).jobs())


@pytest.mark.parametrize(
    "grid, message",
    [
        (lambda: Grid("expr", heads=(HeadConfig("separate"),)), "task expr has only one output"),
        (lambda: Grid("au", heads=(HeadConfig(keep="accuracy"),)), "which au does not have"),
        (
            lambda: Grid(
                "mtl", ("embeddings",), (HeadConfig("separate", parts=(HeadOverride("va", features="scores"),)),)
            ),
            "its va network uses scores, which the features 'embeddings'",
        ),
        (
            lambda: Grid("mtl", heads=(HeadConfig("separate", parts=(HeadOverride("va", "score"),)),)),
            "did you mean scores",
        ),
        (lambda: Grid("va", backbones=("a", "a")), "same backbones twice"),
    ],
)
def test_invalid_grid_raises(grid, message):
    with pytest.raises(InputError, match=message):
        grid()
