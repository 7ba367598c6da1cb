"""Modified models and predictions of a run are reported wherever they are used."""

import dataclasses
import json
import shutil

import pytest

from harness.cli import main
from harness.jobs.job_folder import JobFolder
from harness.leaderboard.finished_run import find_finished_run
from harness.tracking import tracked_records
from harness.utils.errors import FramelightError
from harness.utils.store import Store


@pytest.fixture
def store(finished, tmp_path):
    return shutil.copytree(finished[0], tmp_path / "store")


def run_of(store, **wanted):
    """A record of the store; by default of its expression run on scores, whose head is its own."""
    wanted = {"kind": "run", "task": "expr", "features": "scores", **wanted}
    return next(
        record
        for record in tracked_records(Store(store))
        if all(getattr(record, name) == value for name, value in wanted.items())
    )


def earlier(store, record):
    """The record as earlier versions wrote it, in the store too."""
    old = dataclasses.replace(record, code={})
    files = JobFolder(store / "artifacts" / "jobs" / record.job_id)
    files.write_record(dataclasses.replace(files.read_record(), code={}))
    return old


def altered(path):
    """One bit of the file is another; not in place, its twin in the store's predictions stays."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.unlink()
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["head.safetensors", "head.json", "training.json"])
@pytest.mark.parametrize("how", ["gone", "altered"])
def test_missing_or_modified_model_file_raises(store, name, how):
    record = run_of(store)
    path = store / "artifacts" / "jobs" / record.job_id / name
    assert find_finished_run(tracked_records(Store(store)), record.group_id, None, Store(store)).record == record
    path.unlink() if how == "gone" else altered(path)
    with pytest.raises(FramelightError) as refused:
        find_finished_run(tracked_records(Store(store)), record.group_id, None, Store(store))
    said = str(refused.value)
    assert said.startswith(f"{path} {'is missing' if how == 'gone' else 'was modified'}")
    assert said.endswith(f"framelight run small --data DIR --store {store} --force")


def test_advice_of_the_message_works(store, small_set, recipe_file, tmp_path, capsys):
    record = run_of(store)
    path = store / "artifacts" / "jobs" / record.job_id / "head.safetensors"
    altered(path)
    submit = ["submit", record.group_id, "--data", small_set, "--store", store, "--split", "validation", "--out"]
    assert main(list(map(str, [*submit, tmp_path / "first"]))) == 1
    assert f"{path} was modified" in capsys.readouterr().err and not (tmp_path / "first").exists()
    assert (
        main(list(map(str, ["run", recipe_file, "--data", small_set, "--store", store, "--jobs", 1, "--force"]))) == 0
    )
    assert main(list(map(str, [*submit, tmp_path / "second"]))) == 0


@pytest.mark.parametrize("how", ["gone", "altered"])
def test_stored_predictions_are_verified(store, how):
    chosen = find_finished_run(tracked_records(Store(store)), run_of(store).group_id, None, Store(store))
    assert len(chosen.load_predictions().frames)
    path = chosen.folder / "reported.npz"
    path.unlink() if how == "gone" else altered(path)
    with pytest.raises(FramelightError, match=f"{path} {'is missing' if how == 'gone' else 'was modified'}"):
        chosen.load_predictions()


def test_run_without_model_hash_is_accepted_with_a_note(store, logged):
    record = run_of(store)
    path = store / "artifacts" / "jobs" / record.job_id / "choice.json"
    choice = json.loads(path.read_text())
    del choice["model"]
    path.write_text(json.dumps(choice))
    path.with_name("hashes.json").unlink()
    record = earlier(store, record)
    assert find_finished_run([record], record.group_id, None, Store(store)).record == record
    assert len(logged) == 1 and record.job_id in logged[0] and "earlier version" in logged[0]


@pytest.mark.parametrize(
    "content, match",
    [
        (None, "with the settings that this run selected, is missing"),
        ("{", "cannot be read"),
        ("[]", "cannot be read .not a JSON object"),
        ('{"job": "another-s0", "model": {}}', "is not the selection of job"),
    ],
)
def test_foreign_selection_is_rejected(store, content, match):
    record = run_of(store)
    path = store / "artifacts" / "jobs" / record.job_id / "choice.json"
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises(FramelightError, match=match):
        find_finished_run(tracked_records(Store(store)), record.group_id, None, Store(store))


def test_untrained_models_are_verified(store):
    record = run_of(store, kind="baseline", features="none")
    path = store / "artifacts" / "jobs" / record.job_id / "training.json"
    assert find_finished_run(tracked_records(Store(store)), record.job_id, None, Store(store)).record == record
    path.unlink()
    path.write_text(json.dumps({"constant": [0.5] * 8}))
    with pytest.raises(FramelightError, match=f"{path} was modified"):
        find_finished_run(tracked_records(Store(store)), record.job_id, None, Store(store))
