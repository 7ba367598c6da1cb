"""The Optuna search on real sqlite studies: resumed where it was left, chosen on the selection split only."""

import dataclasses
import json
import shutil
import signal
import subprocess
import time

import optuna
import pytest
from optuna.trial import TrialState

from harness import records
from harness.cli import main
from harness.jobs.compute import compute
from harness.jobs.expand import Expansion
from harness.preparation import prepare
from harness.recipes import apply_settings, find_recipe
from harness.search import GridSearch
from harness.search_space import Space
from tests import small

RECIPE = '''
from harness.heads.config import HeadConfig
from harness.recipes import Grid, Recipe, Search, Smoothing

recipe = Recipe(
    name="searched",
    backbones=("tiny_mobilenet@random",),
    grids=(Grid("va", ("embeddings", "scores"), (HeadConfig("logistic_regression", batch_size=64),
                                                 HeadConfig("mlp", standardise=False))),),
    smoothing=Smoothing(largest=6),
    search=Search(trials=8, hidden=(8, 16), learning_rate=(1e-5, 1e-1), epochs=(2, 4)),
    baselines=False,
)
'''
TRIALS = 8


def studies(store):
    storage = f"sqlite:///{store / 'optuna.db'}"
    return [optuna.load_study(study_name=name, storage=storage) for name in optuna.get_all_study_names(storage)]


def outcome(trials):
    """What must be the same however often a search was killed."""
    return [(t.params, t.state, t.value, t.intermediate_values) for t in trials]


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


def arguments(recipe, data, store, *more, jobs=1):
    return ["run", str(recipe), "--data", str(data), "--store", str(store), "--jobs", str(jobs), *more]


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    return small.write_recipe(tmp_path_factory.mktemp("recipe"), RECIPE)


@pytest.fixture(scope="module")
def searched(recipe, small_set, tmp_path_factory):
    store = tmp_path_factory.mktemp("searched") / "store"
    assert main(arguments(recipe, small_set, store)) == 0
    return store


@pytest.fixture(scope="module")
def expansion(recipe, small_set, searched):
    wanted = apply_settings(find_recipe(str(recipe)), ["search.trials=12"])
    return Expansion(wanted, prepare(wanted, small_set, searched, lambda _: None))


class Killed(Exception):
    pass


class Batches:
    """Runs batches of jobs here, one job after the other, until so many epochs were reported or one trial is left."""

    def __init__(self, epochs=None, but=None):
        self.epochs, self.but = epochs, but

    def __call__(self, jobs):
        done = [self.run(job, reporter) for job, reporter in jobs if reporter is None or reporter.number != self.but]
        if len(done) < len(jobs):
            raise Killed
        return done

    def run(self, job, reporter):
        if (job.folder / "record.json").is_file():
            return records.read(job.folder / "record.json")

        def on_epoch(epoch, value):
            stop = reporter(epoch, value)
            if self.epochs is not None:
                self.epochs -= 1
                if self.epochs == 0:
                    raise Killed
            return stop

        return compute(job, on_epoch)


def search(expansion, store, batches, workers=2):
    """The trials of a search in a store of its own that has the features already."""
    if not store.exists():
        store.mkdir()
        (store / "features").symlink_to(expansion.prepared.store / "features")
    moved = Expansion(expansion.recipe, dataclasses.replace(expansion.prepared, store=store))
    GridSearch(moved, expansion.recipe.grids[0], store).run(workers, batches)
    study, = studies(store)
    return study.get_trials()


@pytest.fixture(scope="module")
def uninterrupted(expansion, tmp_path_factory):
    return search(expansion, tmp_path_factory.mktemp("uninterrupted") / "store", Batches())


def test_the_winner_is_best_on_the_selection_split_and_alone_on_the_board(searched, capsys):
    study, = studies(searched)
    assert len(study.get_trials()) == TRIALS
    assert main(["leaderboard", "--store", str(searched), "--format", "json"]) == 0
    row, = json.loads(capsys.readouterr().out)
    assert row["radius"] in (0, study.best_trial.params["radius"])
    winner, = kept(searched, "run")
    assert winner.selection[winner.metric] == pytest.approx(study.best_value)


def test_pruned_trials_are_killed_runs(searched):
    study, = studies(searched)
    pruned = sum(trial.state == TrialState.PRUNED for trial in study.get_trials())
    assert pruned > 0
    assert sorted(tracked(f"sqlite:///{searched / 'mlflow.db'}")) == \
        ["FINISHED"] * (TRIALS - pruned) + ["KILLED"] * pruned


def test_trials_never_see_the_reported_labels(searched, recipe, small_set, tmp_path):
    """The same search on videos whose validation labels are in another order."""
    data = tmp_path / "data"
    shutil.copytree(small_set, data)
    files = list(data.glob("Third ABAW Annotations/VA_Estimation_Challenge/Validation_Set/*.txt"))
    assert files
    for file in files:
        header, *lines = file.read_text().splitlines()
        file.write_text("\n".join([header, *lines[::-1]]) + "\n")
    assert main(arguments(recipe, data, tmp_path / "store")) == 0
    (here,), (there,) = studies(searched), studies(tmp_path / "store")
    assert here.study_name != there.study_name
    assert outcome(here.get_trials()) == outcome(there.get_trials())
    assert kept(searched, "run")[0].metrics != kept(tmp_path / "store", "run")[0].metrics


def test_another_tracker_is_sent_every_trial(searched, recipe, small_set, tmp_path, capsys):
    uri = f"sqlite:///{tmp_path / 'other.db'}"
    assert main(arguments(recipe, small_set, searched, "--tracking-uri", uri)) == 0
    assert "0 jobs run" in capsys.readouterr().err
    assert sorted(tracked(uri)) == sorted(tracked(f"sqlite:///{searched / 'mlflow.db'}"))


def test_what_another_search_pruned_is_tried_again(searched, recipe, small_set, tmp_path):
    store = tmp_path / "store"
    shutil.copytree(searched, store)
    assert main(arguments(recipe, small_set, store, "--set", "search.pruner=none")) == 0
    median, none = sorted(studies(store), key=lambda study: study.trials[0].datetime_start)
    assert TrialState.PRUNED in {trial.state for trial in median.trials}
    assert {trial.state for trial in none.trials} == {TrialState.COMPLETE}
    for trial in none.trials:
        assert sorted(trial.intermediate_values) == list(range(1, trial.params["epochs"] + 1))


@pytest.mark.filterwarnings("error::UserWarning:optuna")
@pytest.mark.parametrize("epochs", [1, 5, 17])
def test_a_search_that_broke_off_in_a_training_ends_as_if_it_had_not(uninterrupted, expansion, tmp_path, epochs):
    with pytest.raises(Killed):
        search(expansion, tmp_path / "store", Batches(epochs))
    assert outcome(search(expansion, tmp_path / "store", Batches())) == outcome(uninterrupted)


def test_a_search_killed_while_it_told_a_batch_ends_as_if_it_had_not(expansion, tmp_path):
    """The trial that is left meets its own batch's completed trials, which would have it pruned."""
    whole = search(expansion, tmp_path / "whole", Batches(), workers=12)
    worst = min(whole, key=lambda trial: max(trial.intermediate_values.values()))
    with pytest.raises(Killed):
        search(expansion, tmp_path / "store", Batches(but=worst.number), workers=12)
    study, = studies(tmp_path / "store")
    for trial in whole:
        if trial is not worst:
            study.tell(trial.number, trial.value)
    resumed = search(expansion, tmp_path / "store", Batches(), workers=12)
    assert outcome(resumed) == outcome(whole) and {trial.state for trial in whole} == {TrialState.COMPLETE}


def test_a_search_goes_on_with_another_number_of_jobs(uninterrupted, expansion, tmp_path):
    with pytest.raises(Killed):
        search(expansion, tmp_path / "store", Batches(8), workers=2)
    resumed = search(expansion, tmp_path / "store", Batches(), workers=5)
    assert {trial.state for trial in resumed} <= {TrialState.COMPLETE, TrialState.PRUNED}
    assert len(resumed) == len(uninterrupted) == 12
    assert outcome(resumed)[:4] == outcome(uninterrupted)[:4]


def test_a_longer_search_goes_on_and_the_order_of_backbones_is_nothing_to_it(searched, recipe, small_set, tmp_path):
    store = tmp_path / "store"
    shutil.copytree(searched, store)
    names = ["tiny_mobilenet@random", "tiny_resnet@random"]
    for trials, order in ((2, names), (4, names[::-1])):
        assert main(arguments(recipe, small_set, store, "--set", f"search.trials={trials}",
                              "--set", f"backbones={','.join(order)}")) == 0
    longer = max(studies(store), key=lambda study: study.trials[0].datetime_start)
    assert len(longer.trials) == 4
    assert {trial.distributions["backbone"] for trial in longer.trials} == {longer.trials[0].distributions["backbone"]}


def test_what_decides_an_outcome_is_in_the_identity(expansion):
    def identity(*settings):
        changed = Expansion(apply_settings(expansion.recipe, list(settings)), expansion.prepared)
        return Space(changed, changed.recipe.grids[0]).identity()

    assert identity("search.trials=99") == identity() == identity("seeds=0,5")
    assert len({identity(), identity("seeds=1"), identity("search.pruner=none"), identity("heads.batch_size=32"),
                identity("search.seed=1"), identity("smoothing.largest=5"), identity("protocol.folds=2"),
                identity("thresholds=half"), identity("missing=filled")}) == 9


def test_a_head_keeps_what_is_not_searched_and_multitask_may_be_direct(expansion):
    text = RECIPE.replace('HeadConfig("mlp"', 'HeadConfig("multitask", schedule="constant"')
    found = find_recipe(str(small.write_recipe(expansion.prepared.store, text)))
    space = Space(Expansion(found, expansion.prepared), found.grids[0])
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    heads = [space.job(study.ask(), "trial", 0).configuration.head for _ in range(30)]
    linear = [head for head in heads if head.kind == "logistic_regression"]
    multitask = [head for head in heads if head.kind == "multitask"]
    assert {(head.hidden, head.batch_size, head.standardise, head.schedule) for head in linear} == \
        {(0, 64, True, "cosine")}
    assert {(head.batch_size, head.standardise, head.schedule) for head in multitask} == {(256, False, "constant")}
    assert 0 in {head.hidden for head in multitask} and len({head.hidden for head in multitask}) > 2


def test_failing_trials_end_the_search_and_do_not_count(searched, recipe, small_set, tmp_path, capsys):
    store = tmp_path / "store"
    (store / "artifacts").mkdir(parents=True)
    (store / "features").symlink_to(searched / "features")
    in_the_way = store / "artifacts" / "predictions"
    in_the_way.write_text("not a folder")
    command = arguments(recipe, small_set, store, "--set", "search.trials=4", jobs=1)
    assert main(command) == 1
    assert f"3 trials in a row failed, the first with FramelightError: cannot write {in_the_way}" in \
        capsys.readouterr().err
    in_the_way.unlink()
    assert main(command) == 0
    study, = studies(store)
    states = [trial.state for trial in study.trials]
    assert states == [TrialState.FAIL] * 3 + [TrialState.COMPLETE] * 4


def test_a_study_that_cannot_be_read_is_named(searched, recipe, small_set, tmp_path, capsys):
    store = tmp_path / "store"
    store.mkdir()
    (store / "features").symlink_to(searched / "features")
    (store / "optuna.db").write_text("no database at all, but long enough to be taken for one" * 100)
    assert main(arguments(recipe, small_set, store)) == 1
    error = capsys.readouterr().err
    assert "optuna.db could not be used" in error and "defect" not in error


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_killed_search_ends_as_an_uninterrupted_one_does(recipe, small_set, tmp_path, jobs):
    more = ("--set", "search.trials=14")
    assert main(arguments(recipe, small_set, tmp_path / "alone", *more, jobs=jobs)) == 0
    command = small.command(*arguments(recipe, small_set, tmp_path / "killed", *more, jobs=jobs))
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
