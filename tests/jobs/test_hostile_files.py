"""Files of jobs that are damaged, or that someone else has written: one plain message, nothing outside the folder."""

import json
import shutil

import pytest

from harness.inference.load_runs import LoadOptions, open_runs
from harness.jobs.frozen_selection import verify_model_files, verify_predictions
from harness.jobs.job_folder import JobFolder
from harness.leaderboard.finished_run import find_finished_run
from harness.tracking import tracked_records
from harness.utils.errors import FramelightError
from harness.utils.store import Store
from tests.helpers.hostile_records import DEEP, NAMES, mutations

FILES = ("choice.json", "training.json", "head.json")


@pytest.fixture(scope="module")
def store(finished, tmp_path_factory):
    return Store(shutil.copytree(finished[0], tmp_path_factory.mktemp("hostile") / "store"))


@pytest.fixture(scope="module")
def run(store):
    return find_finished_run(tracked_records(store), "best:expr", None, store)


def used(store, run):
    """What `predict` and `export` read of a run."""
    found = find_finished_run(tracked_records(store), run.record.job_id, None, store)
    found.load_predictions()
    open_runs([run.record.job_id], LoadOptions(store, engine="torch"))


@pytest.mark.parametrize("name", FILES)
def test_every_mutation_of_a_file_is_read_or_refused(store, run, name):
    path, failures = run.folder / name, []
    whole = path.read_text()
    try:
        for what, values in mutations(json.loads(whole), 60, seed=15):
            path.write_text(json.dumps(values))
            try:
                used(store, run)
            except FramelightError as error:
                assert run.record.job_id in str(error) or str(store) in str(error)
            except Exception as error:
                failures.append(f"{what}: {type(error).__name__}: {error}")
        for text in ("", "{", "[]", "null", DEEP, '{"job": ' + DEEP + "}", "\udc80".encode("utf-8", "surrogatepass")):
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
            with pytest.raises(FramelightError):
                used(store, run)
    finally:
        path.write_text(whole)
    assert not failures, f"{len(failures)} failures\n" + "\n".join(failures[:40])


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_a_choice_names_files_of_its_folder_only(tmp_path, name):
    (tmp_path / "planted").write_text("")
    folder = tmp_path / "jobs" / "aaaa-s0"
    folder.mkdir(parents=True)
    JobFolder(folder).choice.write_text(
        json.dumps({"job": "aaaa-s0", "model": {name: "0" * 64}, "predictions": "0" * 64})
    )
    with pytest.raises(FramelightError, match="file names to SHA-256 hashes|is missing; it is part of"):
        verify_model_files(folder, "aaaa-s0", "run it again")


@pytest.mark.parametrize("hashes", [[], "x", 3, {"head.json": 3}, {"head.json": None}, {"head.json": ["a"]}], ids=str)
def test_hashes_of_the_wrong_type_are_refused(tmp_path, hashes):
    JobFolder(tmp_path).choice.write_text(json.dumps({"job": "aaaa-s0", "model": hashes, "predictions": hashes or 3}))
    for verify in (verify_model_files, verify_predictions):
        with pytest.raises(FramelightError):
            verify(tmp_path, "aaaa-s0", "run it again")
