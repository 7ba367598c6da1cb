"""Interrupted searches resume identically."""

import dataclasses
import signal
import subprocess
import time

import pytest
from optuna.trial import TrialState

from harness.cli import main
from harness.jobs.execute import run_job
from harness.runner import apply_settings, find_recipe
from harness.runner.expansion import JobGrid
from harness.runner.preparation import prepare_inputs
from harness.runner.search import GridSearch
from harness.tracking import record_json
from harness.utils.store import Store
from tests.helpers import small_run
from tests.helpers.search_recipes import RECIPE, arguments, outcome, studies


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    return small_run.write_recipe(tmp_path_factory.mktemp("recipe"), RECIPE)


@pytest.fixture(scope="module")
def expansion(recipe, small_set, tmp_path_factory):
    wanted = apply_settings(find_recipe(str(recipe)), ["search.trials=12"])
    return JobGrid(wanted, prepare_inputs(wanted, small_set, Store(tmp_path_factory.mktemp("features"))))


class Killed(Exception):
    pass


class Batches:
    """Runs batches of jobs here, one job after the other, until so many epochs were reported or one trial is left."""

    def __init__(self, epochs=None, but=None):
        self.epochs, self.but = epochs, but

    def __call__(self, jobs, count_job):
        done = [self.run(job, reporter) for job, reporter in jobs if reporter is None or reporter.number != self.but]
        if len(done) < len(jobs):
            raise Killed
        return done

    def run(self, job, reporter):
        if (job.folder / "record.json").is_file():
            return record_json.read(job.folder / "record.json")

        def on_epoch(epoch, value):
            stop = reporter(epoch, value)
            if self.epochs is not None:
                self.epochs -= 1
                if self.epochs == 0:
                    raise Killed
            return stop

        return run_job(job, on_epoch)


def search(expansion, store, batches, batch=2):
    """The trials of a search in a separate store that already has the features."""
    if not store.exists():
        store.mkdir()
        (store / "features").symlink_to(expansion.prepared.store.features)
    recipe = apply_settings(expansion.recipe, [f"search.batch={batch}"])
    moved = JobGrid(recipe, dataclasses.replace(expansion.prepared, store=Store(store)))
    GridSearch(moved, recipe.grids[0], Store(store)).run(batches)
    (study,) = studies(store)
    return study.get_trials()


@pytest.fixture(scope="module")
def uninterrupted(expansion, tmp_path_factory):
    return search(expansion, tmp_path_factory.mktemp("uninterrupted") / "store", Batches())


@pytest.mark.filterwarnings("error::UserWarning:optuna")
@pytest.mark.parametrize("epochs", [1, 5, 17])
def test_search_interrupted_in_training_resumes_identically(uninterrupted, expansion, tmp_path, epochs):
    with pytest.raises(Killed):
        search(expansion, tmp_path / "store", Batches(epochs))
    assert outcome(search(expansion, tmp_path / "store", Batches())) == outcome(uninterrupted)


def test_search_killed_while_reporting_resumes_identically(expansion, tmp_path):
    """The trial that is left meets its own batch's completed trials, which would have it pruned."""
    whole = search(expansion, tmp_path / "whole", Batches(), batch=12)
    worst = min(whole, key=lambda trial: max(trial.intermediate_values.values()))
    with pytest.raises(Killed):
        search(expansion, tmp_path / "store", Batches(but=worst.number), batch=12)
    (study,) = studies(tmp_path / "store")
    for trial in whole:
        if trial is not worst:
            study.tell(trial.number, trial.value)
    resumed = search(expansion, tmp_path / "store", Batches(), batch=12)
    assert outcome(resumed) == outcome(whole) and {trial.state for trial in whole} == {TrialState.COMPLETE}


def test_search_resumes_with_other_batch_size(uninterrupted, expansion, tmp_path):
    with pytest.raises(Killed):
        search(expansion, tmp_path / "store", Batches(8), batch=2)
    resumed = search(expansion, tmp_path / "store", Batches(), batch=5)
    assert {trial.state for trial in resumed} <= {TrialState.COMPLETE, TrialState.PRUNED}
    assert len(resumed) == len(uninterrupted) == 12
    assert outcome(resumed)[:4] == outcome(uninterrupted)[:4]


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_killed_search_resumes_identically(recipe, small_set, tmp_path, jobs):
    more = ("--set", "search.trials=14")
    assert main(arguments(recipe, small_set, tmp_path / "alone", *more, jobs=jobs)) == 0
    command = small_run.command(*arguments(recipe, small_set, tmp_path / "killed", *more, jobs=jobs))
    for trials in (1, 6, 11):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while len(list(tmp_path.glob("killed/artifacts/jobs/*/record.json"))) < trials:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert subprocess.run(command, capture_output=True).returncode == 0
    (alone,), (killed,) = studies(tmp_path / "alone"), studies(tmp_path / "killed")
    assert outcome(alone.trials) == outcome(killed.trials)
