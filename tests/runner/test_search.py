"""The Optuna search on real SQLite studies; it selects on the selection split only."""

import dataclasses
import json
import shutil

import pytest
from optuna.trial import TrialState

from harness.cli import main
from harness.jobs import execute
from harness.runner import apply_settings
from harness.runner.expansion import JobGrid
from harness.runner.run import run
from harness.runner.search_space import SearchSpace
from harness.tracking import record_json
from harness.utils.store import Store
from tests.helpers.search_recipes import TRIALS, arguments, outcome, studies


def tracked(uri):
    """Statuses of the trials that MLflow has."""
    from mlflow.tracking import MlflowClient

    client = MlflowClient(uri)
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    runs = client.search_runs(experiments, "tags.`framelight.kind` = 'trial'")
    return [run.info.status for run in runs]


def kept(store, kind):
    found = [record_json.read(path) for path in (store / "artifacts/jobs").glob("*/record.json")]
    return [record for record in found if record.kind == kind]


@pytest.fixture
def fresh(empty_store, searched, tmp_path):
    """A store without a job or a study that has the features."""
    store = shutil.copytree(empty_store, tmp_path / "store")
    (store / "features").symlink_to(searched / "features")
    return store


def test_winner_is_best_on_selection_split(searched, capsys):
    (study,) = studies(searched)
    assert len(study.get_trials()) == TRIALS
    assert main(["leaderboard", "--store", str(searched), "--format", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["radius"] in (0, study.best_trial.params["radius"])
    (winner,) = kept(searched, "run")
    assert winner.selection[winner.metric] == pytest.approx(study.best_value)


@pytest.mark.training
def test_pruned_trials_have_status_killed(searched):
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


def test_other_tracker_gets_every_trial(searched, recipe, small_set, tmp_path, capsys):
    uri = f"sqlite:///{tmp_path / 'other.db'}"
    assert main(arguments(recipe, small_set, searched, "--tracking-uri", uri)) == 0
    said = capsys.readouterr().err
    assert "0 jobs run" in said
    (study,) = studies(searched)
    assert f"study {study.study_name} in {searched / 'optuna.db'}" in said
    (best,) = (line for line in said.splitlines() if line.startswith("best of "))
    assert f"P_VA {study.best_value:.3f} on the selection split" in best
    assert f"learning rate {study.best_params['learning_rate']:.3g}" in best and "features" in best
    assert sorted(tracked(uri)) == sorted(tracked(f"sqlite:///{searched / 'mlflow.db'}"))


@pytest.mark.training
def test_trial_pruned_by_another_search_is_repeated(searched, recipe, small_set, tmp_path):
    store = tmp_path / "store"
    shutil.copytree(searched, store)
    assert main(arguments(recipe, small_set, store, "--set", "search.pruner=none")) == 0
    median, none = sorted(studies(store), key=lambda study: study.trials[0].datetime_start)
    assert TrialState.PRUNED in {trial.state for trial in median.trials}
    assert {trial.state for trial in none.trials} == {TrialState.COMPLETE}
    for trial in median.trials:
        if trial.state == TrialState.COMPLETE:
            assert sorted(trial.intermediate_values) == list(range(1, trial.params["epochs"] + 1))


def test_longer_search_resumes(searched, recipe, small_set, tmp_path):
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


@pytest.mark.slow
def test_outcome_does_not_depend_on_the_number_of_jobs(searched, fresh, recipe, small_set):
    assert main(arguments(recipe, small_set, fresh, jobs=2)) == 0
    (here,), (there,) = studies(searched), studies(fresh)
    assert outcome(here.get_trials()) == outcome(there.get_trials())


@pytest.mark.training
def test_batched_trials_equal_single_trials(expansion, fresh, monkeypatch):
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


def test_study_that_cannot_be_read_is_named(fresh, recipe, small_set, capsys):
    (fresh / "optuna.db").write_text("no database at all, but long enough to be taken for one" * 100)
    assert main(arguments(recipe, small_set, fresh)) == 1
    error = capsys.readouterr().err
    assert "optuna.db cannot be used" in error and "defect" not in error
