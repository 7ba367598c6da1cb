"""The Optuna search on real sqlite studies: resumed where it was left, chosen on the selection split only."""

import json
import signal
import subprocess
import time

import optuna
import pytest
from optuna.trial import TrialState

from harness.cli import main
from tests import small

SEARCH = ["--set", "search.trials=6", "--set", "search.epochs=2,4", "--set", "search.hidden=8,16",
          "--set", "grids.heads=logistic_regression,mlp", "--set", "baselines=false"]


def study(store):
    storage = f"sqlite:///{store / 'optuna.db'}"
    return {name: optuna.load_study(study_name=name, storage=storage) for name in optuna.get_all_study_names(storage)}


def arguments(recipe, data, store, *more):
    return ["run", str(recipe), "--data", str(data), "--store", str(store), "--jobs", "1", *SEARCH, *more]


@pytest.fixture(scope="module")
def searched(small_set, tmp_path_factory):
    folder = tmp_path_factory.mktemp("searched")
    recipe = small.write_recipe(folder, small.RECIPE.replace('Grid("au"', 'Grid("va"'))
    assert main(arguments(recipe, small_set, folder / "store")) == 0
    return folder / "store", recipe


def records(store, kind):
    found = [json.loads(path.read_text()) for path in (store / "artifacts/jobs").glob("*/record.json")]
    return [record for record in found if record["kind"] == kind]


def test_each_task_has_a_study_of_as_many_trials(searched):
    studies = study(searched[0])
    assert {name.split("/")[1] for name in studies} == {"expr", "va"}
    for one in studies.values():
        states = [trial.state for trial in one.get_trials()]
        assert len(states) == 6 and set(states) <= {TrialState.COMPLETE, TrialState.PRUNED}


def test_the_winner_is_best_on_the_selection_split_and_alone_on_the_board(searched, capsys):
    store, _ = searched
    capsys.readouterr()
    assert main(["leaderboard", "--store", str(store), "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert sorted(row["task"] for row in rows) == ["expr", "va"]
    for one in study(store).values():
        task = one.study_name.split("/")[1]
        row = next(row for row in rows if row["task"] == task)
        assert row["radius"] in (0, one.best_trial.params["radius"])
        winner = next(r for r in records(store, "run") if r["task"] == task)
        assert winner["selection"][winner["metric"]] == pytest.approx(one.best_value)


def test_trials_never_score_the_reported_split(searched):
    trials = records(searched[0], "trial")
    assert trials and {record["split"] for record in trials} == {"selection"}


def test_pruned_trials_are_killed_runs(searched):
    from mlflow.tracking import MlflowClient

    store, _ = searched
    client = MlflowClient(f"sqlite:///{store / 'mlflow.db'}")
    runs = client.search_runs([e.experiment_id for e in client.search_experiments()])
    killed = sum(run.info.status == "KILLED" for run in runs)
    pruned = sum(t.state == TrialState.PRUNED for one in study(store).values() for t in one.get_trials())
    assert killed == pruned


def test_a_finished_search_is_not_repeated_and_a_longer_one_goes_on(searched, small_set, capsys):
    store, recipe = searched
    before = {name: [t.params for t in one.get_trials()] for name, one in study(store).items()}
    assert main(arguments(recipe, small_set, store)) == 0
    assert "0 jobs run" in capsys.readouterr().err
    assert main(arguments(recipe, small_set, store, "--set", "search.trials=8")) == 0
    for name, one in study(store).items():
        assert [t.params for t in one.get_trials()[:6]] == before[name]
        assert len(one.get_trials()) == 8


@pytest.mark.slow
def test_a_killed_search_suggests_what_an_uninterrupted_one_does(searched, small_set, tmp_path):
    store, recipe = searched
    command = small.command(*arguments(recipe, small_set, tmp_path / "store", "--set", "search.trials=8"))
    for after in (9, 11, 13):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(after)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert subprocess.run(command, capture_output=True).returncode == 0
    assert main(arguments(recipe, small_set, store, "--set", "search.trials=8")) == 0
    alone, resumed = study(store), study(tmp_path / "store")
    assert {n: [t.params for t in s.get_trials()] for n, s in alone.items()} == \
        {n: [t.params for t in s.get_trials()] for n, s in resumed.items()}
