"""Search spaces, and the settings that identify a study."""

import dataclasses

import optuna
import pytest

from harness.jobs.job import REVISION
from harness.runner import apply_settings, find_recipe
from harness.runner.expansion import JobGrid
from harness.runner.prepared_inputs import group_trainings
from harness.runner.search_space import SearchSpace
from harness.utils.errors import InputError
from harness.utils.hashing import content_hash, to_jsonable
from tests.helpers import small_run
from tests.helpers.search_recipes import RECIPE


def test_search_id_depends_on_its_settings(expansion):
    def identity(*settings):
        changed = JobGrid(apply_settings(expansion.recipe, list(settings)), expansion.prepared)
        return SearchSpace(changed, changed.recipe.grids[0]).identity()

    assert identity("search.trials=99") == identity() == identity("seeds=0,5") == identity("search.batch=5")
    assert (
        len(
            {
                identity(),
                identity("seeds=1"),
                identity("search.pruner=none"),
                identity("heads.batch_size=32"),
                identity("search.seed=1"),
                identity("smoothing.largest=5"),
                identity("protocol.folds=2"),
                identity("thresholds=half"),
                identity("missing=filled"),
                identity("search.gaps=linear,nearest"),
                identity("search.thresholds=chosen,half"),
            }
        )
        == 11
    )


def test_old_study_without_batches_resumes(expansion):
    """What was not searched then has no part in the name of a study."""
    recipe, grid = expansion.recipe, expansion.recipe.grids[0]
    before = to_jsonable(dataclasses.replace(recipe.search, trials=1))
    for name in ("batch", "gaps", "thresholds"):
        del before[name]
    assert SearchSpace(expansion, grid).identity() == content_hash(
        [
            before,
            grid,
            recipe.smoothing,
            recipe.protocol,
            recipe.thresholds,
            recipe.missing,
            recipe.seeds[0],
            REVISION,
            expansion.task_data_digest(grid.task),
            sorted(backbone.entry for backbone in expansion.prepared.backbones),
        ]
    )


def space_of(expansion, task, *settings):
    """The space of the first grid for another task, and 40 random trials of it."""
    recipe = apply_settings(expansion.recipe, [*settings, f"grids.task={task}"])
    labels = dict.fromkeys(("va", "au", "mtl"), "0")
    space = SearchSpace(JobGrid(recipe, dataclasses.replace(expansion.prepared, labels=labels)), recipe.grids[0])
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    trials = [study.ask() for _ in range(40)]
    return trials, [space.job(trial, "trial", 0) for trial in trials]


def test_best_trial_runs_on_every_training_of_its_backbone(expansion):
    first = expansion.prepared.backbones[0]
    repeated = group_trainings({0: first, 7: dataclasses.replace(first, entry="e" * 16)})
    prepared = dataclasses.replace(expansion.prepared, backbones=(repeated, *expansion.prepared.backbones[1:]))
    space = SearchSpace(JobGrid(expansion.recipe, prepared), expansion.recipe.grids[0])
    assert space.identity() == SearchSpace(expansion, expansion.recipe.grids[0]).identity(), "trials use the first"
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    trial = next(trial for trial in iter(study.ask, None) if space.job(trial, "trial", 0).entry == first.entry)
    jobs = space.run_jobs(trial, (0, 1))
    assert [(job.training, job.seed, job.entry) for job in jobs] == [
        (0, 0, first.entry),
        (0, 1, first.entry),
        (7, 0, "e" * 16),
        (7, 1, "e" * 16),
    ]
    assert len({job.group_id for job in jobs}) == 1 and jobs[2].job_id == f"{jobs[0].group_id}-t7-s0"
    assert space.job(trial, "trial", 0).training is None


def test_trials_are_not_refit(expansion):
    trial, run = (
        dataclasses.replace(job, configuration=dataclasses.replace(job.configuration, kind=kind))
        for job, kind in zip([space_of(expansion, "va")[1][0]] * 2, ("trial", "run"))
    )
    assert trial.configuration.protocol.refit and run.training_configuration.protocol.refit
    assert not trial.training_configuration.protocol.refit


def test_gaps_and_thresholds_are_searched(expansion):
    choices = ("search.gaps=linear,nearest", "search.thresholds=chosen,half")
    trials, jobs = space_of(expansion, "au", *choices)
    said = {(job.configuration.smoothing.gaps, job.configuration.thresholds) for job in jobs}
    assert said == {(gaps, way) for gaps in ("linear", "nearest") for way in ("chosen", "half")}
    for trial, job in zip(trials, jobs):
        assert trial.params["gaps"] == job.configuration.smoothing.gaps
        assert trial.params["thresholds"] == job.configuration.thresholds
    outputs = {"gaps", "thresholds", "radius", "kernel"}
    trainings = {str(sorted((name, trial.params[name]) for name in trial.params.keys() - outputs)) for trial in trials}
    assert len({job.training_id for job in jobs}) == len(trainings)
    trials, jobs = space_of(expansion, "au", "search.gaps=nearest", "search.thresholds=half")
    assert {(job.configuration.smoothing.gaps, job.configuration.thresholds) for job in jobs} == {("nearest", "half")}
    assert not {"gaps", "thresholds"} & set(trials[0].params)
    trials, jobs = space_of(expansion, "va", *choices)
    assert "thresholds" not in trials[0].params and "gaps" in trials[0].params
    assert {job.configuration.thresholds for job in jobs} == {"chosen"}


@pytest.mark.parametrize(
    "setting, says",
    [
        ("search.batch=0", "search.batch is 0"),
        ("search.gaps=linear,linaer", "linaer"),
        ("search.thresholds=half,half", "lists a value twice"),
        ("search.thresholds=quarter", "quarter"),
    ],
)
def test_invalid_search_raises(recipe, setting, says):
    with pytest.raises(InputError, match=says):
        apply_settings(find_recipe(str(recipe)), [setting])


def test_unsearched_settings_are_kept(expansion):
    text = RECIPE.replace('HeadConfig("mlp"', 'HeadConfig("multitask", schedule="constant"')
    found = find_recipe(str(small_run.write_recipe(expansion.prepared.store.root, text)))
    space = SearchSpace(JobGrid(found, expansion.prepared), found.grids[0])
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    heads = [space.job(study.ask(), "trial", 0).configuration.head for _ in range(30)]
    linear = [head for head in heads if head.kind == "logistic_regression"]
    multitask = [head for head in heads if head.kind == "multitask"]
    assert {(head.hidden, head.batch_size, head.standardise, head.schedule) for head in linear} == {
        (0, 64, True, "cosine")
    }
    assert {(head.batch_size, head.standardise, head.schedule) for head in multitask} == {(256, False, "constant")}
    assert 0 in {head.hidden for head in multitask} and len({head.hidden for head in multitask}) > 2
