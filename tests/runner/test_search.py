"""The Optuna search on real sqlite studies, chosen on the selection split only."""

import dataclasses
import json
import shutil

import optuna
import pytest
from optuna.trial import TrialState

from harness.cli import main
from harness.jobs import execute
from harness.jobs.job import REVISION
from harness.runner import apply_settings, find_recipe
from harness.runner.expansion import JobGrid
from harness.runner.preparation import prepare_inputs
from harness.runner.run import run
from harness.runner.search_space import SearchSpace
from harness.tracking import open_tracker, records
from harness.utils.errors import InputError
from harness.utils.hashing import content_hash, to_jsonable
from harness.utils.store import Store
from tests.helpers import small_run
from tests.helpers.search_recipes import RECIPE, TRIALS, arguments, outcome, studies


def tracked(uri):
    """Statuses of the trials that MLflow has."""
    from mlflow.tracking import MlflowClient

    client = MlflowClient(uri)
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    runs = client.search_runs(experiments, "tags.`framelight.kind` = 'trial'")
    return [run.info.status for run in runs]


def kept(store, kind):
    found = [records.read(path) for path in (store / "artifacts/jobs").glob("*/record.json")]
    return [record for record in found if record.kind == kind]


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    return small_run.write_recipe(tmp_path_factory.mktemp("recipe"), RECIPE)


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """A store with a tracking database alone, which takes MLflow seconds to make."""
    store = tmp_path_factory.mktemp("empty") / "store"
    store.mkdir()
    open_tracker(Store(store))
    return store


@pytest.fixture(scope="module")
def searched(recipe, small_set, empty, tmp_path_factory):
    store = shutil.copytree(empty, tmp_path_factory.mktemp("searched") / "store")
    assert main(arguments(recipe, small_set, store)) == 0
    return store


@pytest.fixture
def fresh(empty, searched, tmp_path):
    """A store without a job or a study that has the features."""
    store = shutil.copytree(empty, tmp_path / "store")
    (store / "features").symlink_to(searched / "features")
    return store


@pytest.fixture(scope="module")
def expansion(recipe, small_set, searched):
    wanted = apply_settings(find_recipe(str(recipe)), ["search.trials=12"])
    return JobGrid(wanted, prepare_inputs(wanted, small_set, Store(searched)))


def test_the_winner_is_best_on_the_selection_split_and_alone_on_the_board(searched, capsys):
    (study,) = studies(searched)
    assert len(study.get_trials()) == TRIALS
    assert main(["leaderboard", "--store", str(searched), "--format", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["radius"] in (0, study.best_trial.params["radius"])
    (winner,) = kept(searched, "run")
    assert winner.selection[winner.metric] == pytest.approx(study.best_value)


@pytest.mark.training
def test_pruned_trials_are_killed_runs(searched):
    (study,) = studies(searched)
    pruned = sum(trial.state == TrialState.PRUNED for trial in study.get_trials())
    assert pruned > 0
    assert (
        sorted(tracked(f"sqlite:///{searched / 'mlflow.db'}")) == ["FINISHED"] * (TRIALS - pruned) + ["KILLED"] * pruned
    )


def test_trials_never_see_the_reported_labels(searched, fresh, recipe, small_set, tmp_path):
    """The same search on videos whose validation labels are in another order."""
    data = tmp_path / "data"
    shutil.copytree(small_set, data)
    files = list(data.glob("Third ABAW Annotations/VA_Estimation_Challenge/Validation_Set/*.txt"))
    assert files
    for file in files:
        header, *lines = file.read_text().splitlines()
        file.write_text("\n".join([header, *lines[::-1]]) + "\n")
    assert main(arguments(recipe, data, fresh)) == 0
    (here,), (there,) = studies(searched), studies(fresh)
    assert here.study_name != there.study_name
    assert outcome(here.get_trials()) == outcome(there.get_trials())
    assert kept(searched, "run")[0].metrics != kept(fresh, "run")[0].metrics


def test_another_tracker_is_sent_every_trial(searched, recipe, small_set, tmp_path, capsys):
    uri = f"sqlite:///{tmp_path / 'other.db'}"
    assert main(arguments(recipe, small_set, searched, "--tracking-uri", uri)) == 0
    assert "0 jobs run" in capsys.readouterr().err
    assert sorted(tracked(uri)) == sorted(tracked(f"sqlite:///{searched / 'mlflow.db'}"))


@pytest.mark.training
def test_what_another_search_pruned_is_tried_again(searched, recipe, small_set, tmp_path):
    store = tmp_path / "store"
    shutil.copytree(searched, store)
    assert main(arguments(recipe, small_set, store, "--set", "search.pruner=none")) == 0
    median, none = sorted(studies(store), key=lambda study: study.trials[0].datetime_start)
    assert TrialState.PRUNED in {trial.state for trial in median.trials}
    assert {trial.state for trial in none.trials} == {TrialState.COMPLETE}
    for trial in median.trials:
        if trial.state == TrialState.COMPLETE:
            assert sorted(trial.intermediate_values) == list(range(1, trial.params["epochs"] + 1))


def test_a_longer_search_goes_on_and_the_order_of_backbones_is_nothing_to_it(searched, recipe, small_set, tmp_path):
    store = tmp_path / "store"
    shutil.copytree(searched, store)
    names = ["tiny_mobilenet@random", "tiny_resnet@random"]
    for trials, order in ((2, names), (4, names[::-1])):
        assert (
            main(
                arguments(
                    recipe,
                    small_set,
                    store,
                    "--set",
                    f"search.trials={trials}",
                    "--set",
                    f"backbones={','.join(order)}",
                )
            )
            == 0
        )
    longer = max(studies(store), key=lambda study: study.trials[0].datetime_start)
    assert len(longer.trials) == 4
    assert {trial.distributions["backbone"] for trial in longer.trials} == {longer.trials[0].distributions["backbone"]}


def test_what_decides_an_outcome_is_in_the_identity(expansion):
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


def test_a_study_of_before_there_were_batches_goes_on(expansion):
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
    """The space of the first grid, for another task, and what 40 random trials of it are."""
    recipe = apply_settings(expansion.recipe, [*settings, f"grids.task={task}"])
    labels = dict.fromkeys(("va", "au", "mtl"), "0")
    space = SearchSpace(JobGrid(recipe, dataclasses.replace(expansion.prepared, labels=labels)), recipe.grids[0])
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    trials = [study.ask() for _ in range(40)]
    return trials, [space.job(trial, "trial", 0) for trial in trials]


def test_gaps_and_thresholds_are_searched_where_there_is_a_choice(expansion):
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
def test_what_cannot_be_searched_is_refused(recipe, setting, says):
    with pytest.raises(InputError, match=says):
        apply_settings(find_recipe(str(recipe)), [setting])


@pytest.mark.slow
def test_the_outcome_does_not_depend_on_the_number_of_jobs(searched, fresh, recipe, small_set):
    assert main(arguments(recipe, small_set, fresh, jobs=2)) == 0
    (here,), (there,) = studies(searched), studies(fresh)
    assert outcome(here.get_trials()) == outcome(there.get_trials())


@pytest.mark.training
def test_trials_of_a_batch_that_are_alike_train_together_and_end_as_they_would_alone(expansion, fresh, monkeypatch):
    """Linear heads alone, so that all of a batch are alike, or nearly."""
    settings = [
        "search.batch=6",
        "search.trials=12",
        "search.pruner=none",
        "heads=logistic_regression",
        "grids.features=embeddings",
    ]
    recipe = apply_settings(expansion.recipe, settings)
    trained, train = [], execute.training.train_jobs

    def counted(jobs, *others):
        trained.append(len(jobs))
        return train(jobs, *others)

    monkeypatch.setattr(execute.training, "train_jobs", counted)
    prepared = dataclasses.replace(expansion.prepared, store=Store(fresh))
    run(recipe, prepared.root, Store(fresh), 1, False)
    (study,) = studies(fresh)
    assert trained[:2] == [6, 6]
    for trial in study.get_trials():
        job = SearchSpace(JobGrid(recipe, prepared), recipe.grids[0]).job(trial, "trial", 0)
        alone = dataclasses.replace(job, store=Store(fresh / "alone"))
        alone.store.root.mkdir(exist_ok=True)
        if not alone.store.features.exists():
            alone.store.features.symlink_to(fresh / "features")
        record = execute.run_job(alone)
        assert record.selection["P_VA"] == pytest.approx(trial.value, abs=1e-5)


def test_a_head_keeps_what_is_not_searched_and_multitask_may_be_direct(expansion):
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


def test_failing_trials_end_the_search_and_do_not_count(fresh, recipe, small_set, capsys):
    in_the_way = fresh / "artifacts" / "predictions"
    in_the_way.parent.mkdir(exist_ok=True)
    in_the_way.write_text("not a folder")
    command = arguments(recipe, small_set, fresh, "--set", "search.trials=4", "--set", "search.batch=4")
    assert main(command) == 1
    assert (
        f"4 trials in a row failed, the first with FramelightError: cannot write {in_the_way}"
        in capsys.readouterr().err
    )
    in_the_way.unlink()
    assert main(command) == 0
    (study,) = studies(fresh)
    states = [trial.state for trial in study.trials]
    assert states == [TrialState.FAIL] * 4 + [TrialState.COMPLETE] * 4


def test_a_study_that_cannot_be_read_is_named(fresh, recipe, small_set, capsys):
    (fresh / "optuna.db").write_text("no database at all, but long enough to be taken for one" * 100)
    assert main(arguments(recipe, small_set, fresh)) == 1
    error = capsys.readouterr().err
    assert "optuna.db cannot be used" in error and "defect" not in error
