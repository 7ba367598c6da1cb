"""A run whose files are not those that its jobs wrote has no rank, and what was modified is named under the board."""

import dataclasses
import json
import shutil
import sqlite3

import numpy as np
import pytest

from harness import compare, find_run, run
from harness.cli import main
from harness.data.registry import open_dataset
from harness.jobs.job_folder import JobFolder
from harness.jobs.predictions import Predictions
from harness.leaderboard.boards import board_rows, format_causal, format_leaderboard
from harness.leaderboard.finished_run import find_finished_run
from harness.leaderboard.run_summary import summarize_run
from harness.leaderboard.run_summary_text import format_run
from harness.metrics.tasks import get_task
from harness.tracking import tracked_records
from harness.tracking.record_json import from_json, to_json
from harness.utils.errors import FramelightError
from harness.utils.store import Store
from tests.helpers.logs import captured_logs
from tests.jobs.test_file_hashes import replaced


@pytest.fixture
def store(finished, tmp_path):
    return Store(shutil.copytree(finished[0], tmp_path / "store"))


def record_of(store, features="embeddings", task="expr", kind="run"):
    return next(
        record
        for record in tracked_records(store)
        if (record.features, record.task, record.kind) == (features, task, kind)
    )


def row_of(store, record, **options):
    return next(row for row in board_rows(store, **options) if row.run_id == record.group_id)


def plant_labels(path, data, task="expr"):
    """Give kept predictions the labels of the reported split, in place."""
    predictions, labels = Predictions.load(path), open_dataset(data).labels(task, "validation")
    position = predictions.index_of(labels)
    outputs = np.zeros_like(predictions.outputs)
    valid = (position >= 0) & get_task(task).valid(labels.targets)[task]
    outputs[position[valid], labels.targets[task][valid]] = 1
    with path.open("wb") as file:
        dataclasses.replace(predictions, outputs=outputs).save(file)


def test_rows_of_an_untouched_store_are_verified(store):
    rows = board_rows(store, verify_all=True)
    assert rows and all(row.verified is True and row.problems == [] and "altered" not in row.flags for row in rows)
    assert all(row["verified"] for row in json.loads(format_leaderboard(rows, "json")))


@pytest.mark.parametrize(
    "name",
    ["reported.npz", "selection.npz", "statistics.npz", "choice.json", "training.json", "head.json", "record.json"],
)
def test_each_file_is_missed_when_it_is_replaced(store, name):
    record = record_of(store)
    path = store.job(record.job_id) / name
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content + b" ")
    row = row_of(store, record)
    assert row.rank is None and row.verified is False and "altered" in row.flags
    assert row.problems == [
        f"artifacts/jobs/{record.job_id}/{name} was modified (run {record.group_id}, seed 0); run its recipe again: "
        "framelight run small --data DIR --force"
    ]
    text = " ".join(format_leaderboard(board_rows(store, "expr"), "table").split())
    assert row.problems[0] in text and "d: a file of the run differs" in text
    with pytest.raises(FramelightError, match=rf"{name} was modified"):
        find_finished_run(tracked_records(store), record.group_id, None, store)


def test_hashes_that_are_gone_or_damaged_are_named(store):
    record = record_of(store)
    hashes = JobFolder(store.job(record.job_id)).hashes
    hashes.write_text("{}")
    assert "hashes.json was modified" in row_of(store, record).problems[0]
    hashes.unlink()
    assert "hashes.json is missing" in row_of(store, record).problems[0]


def test_a_file_of_the_same_size_and_time_is_found_before_it_is_published(store, tmp_path):
    record = record_of(store)
    replaced(store.job(record.job_id) / "reported.npz", "planted")
    assert row_of(store, record).problems == []
    assert main(["leaderboard", "--store", str(store), "--format", "json", "--out", str(tmp_path / "board")]) == 0
    published = json.loads((tmp_path / "board").read_text())
    assert [row["run_id"] for row in published if row["problems"]] == [record.group_id]


def test_statistics_of_the_same_size_and_time_are_found_on_every_board(store):
    record = record_of(store)
    replaced(store.job(record.job_id) / "statistics.npz", "PK\x05\x06".ljust(22, "\0"))
    assert "statistics.npz was modified" in row_of(store, record).problems[0]


def planted_record(store, record, **changes):
    """The tracked record of a job has other values."""
    text = to_json(dataclasses.replace(record, **changes))
    with sqlite3.connect(store.mlflow_database) as database:
        (run,) = database.execute(
            "SELECT run_uuid FROM tags WHERE key = 'framelight.job_id' AND value = ?", (record.job_id,)
        ).fetchone()
        database.execute("UPDATE tags SET value = ? WHERE run_uuid = ? AND key = 'framelight.record'", (text, run))


def test_a_score_that_its_statistics_do_not_give_is_not_ranked(store):
    record = record_of(store)
    planted_record(store, record, metrics={**record.metrics, "P_EXPR": 0.999})
    row = row_of(store, record)
    assert row.rank is None and "the recorded P_EXPR is 0.999" in row.problems[0]
    assert f"artifacts/jobs/{record.job_id}/statistics.npz gives {record.metrics['P_EXPR']:.10g}" in row.problems[0]
    with pytest.raises(FramelightError, match=r"the recorded P_EXPR is 0\.999"):
        find_finished_run(tracked_records(store), record.group_id, None, store)


def test_the_best_run_is_never_an_altered_one(store, logged):
    record, other = record_of(store), record_of(store, "scores")
    planted_record(store, record, metrics={**record.metrics, "P_EXPR": 0.999})
    best = [row.run_id for row in board_rows(store, "expr") if row.kind == "run" and row.rank is not None][0]
    assert best != record.group_id
    assert find_finished_run(tracked_records(store), "best:expr", None, store).record.group_id == best
    assert find_run("best:expr", store).record.group_id == best
    assert summarize_run(store, "best:expr").records[0].group_id == best
    assert any("left out: the recorded P_EXPR is 0.999" in line for line in logged)
    planted_record(store, other, metrics={**other.metrics, "P_EXPR": 0.999})
    with pytest.raises(FramelightError, match="every run of task expr was altered"):
        find_finished_run(tracked_records(store), "best:expr", None, store)


def test_a_revision_of_an_earlier_version_is_no_excuse(store):
    record = record_of(store)
    config = {**record.config, "revision": 2}
    planted_record(store, record, metrics={**record.metrics, "P_EXPR": 0.99}, config=config)
    row = row_of(store, record)
    assert row.rank is None and not row.verified and "the recorded P_EXPR is 0.99" in row.problems[0]


@pytest.mark.parametrize("name", ["statistics.npz", "reported.npz", "hashes.json"])
def test_a_missing_file_is_named_and_made_again(store, small_set, recipe_file, name):
    record = record_of(store)
    path = store.job(record.job_id) / name
    path.unlink()
    planted_record(store, record, metrics={**record.metrics, "P_EXPR": 0.99})
    row = row_of(store, record)
    assert (
        row.rank is None and not row.verified and f"artifacts/jobs/{record.job_id}/{name} is missing" in row.problems[0]
    )
    with captured_logs() as logged:
        result = run(recipe_file, small_set, store, jobs=1)
    assert result.computed == 1 and any(f"{path} is missing; running the job again" in line for line in logged)
    row = row_of(store, record)
    assert row.problems == [] and row.verified and row.value == record.metrics["P_EXPR"]


def test_a_job_of_an_earlier_version_stays_finished(store, small_set, recipe_file):
    files = JobFolder(store.job(record_of(store).job_id))
    files.hashes.unlink()
    files.write_record(dataclasses.replace(files.read_record(), code={}))
    assert run(recipe_file, small_set, store, jobs=1).computed == 0


def test_a_tracked_record_that_is_not_the_stored_one_is_found_before_it_is_published(store):
    record = record_of(store, "labels", kind="baseline")
    planted_record(store, record, flags=())
    assert row_of(store, record).problems == []
    assert "differs from" in row_of(store, record, verify_all=True).problems[0]


def test_another_recipe_may_replace_the_labels_of_a_tracked_record(store):
    record = record_of(store)
    planted_record(store, record, recipe="other", expected_seeds=(0, 1), expected_trainings=(0, 1), dataset="other")
    assert row_of(store, record, verify_all=True).problems == []


def test_the_advice_is_no_command_of_a_stranger(store):
    record = record_of(store)
    planted_record(store, record, recipe="small; touch planted", metrics={**record.metrics, "P_EXPR": 0.999})
    assert row_of(store, record).problems[0].endswith("framelight run RECIPE --data DIR --force")


def test_stores_of_earlier_versions_are_read_and_not_verified(store):
    for path in store.jobs.iterdir():
        files = JobFolder(path)
        files.hashes.unlink()
        files.write_record(dataclasses.replace(files.read_record(), code={}))
    for record in tracked_records(store):
        planted_record(store, record, code={})
    rows = board_rows(store)
    assert [row.problems for row in rows] == [[]] * len(rows) and {row.verified for row in rows} == {False}
    assert " d: " not in format_leaderboard(rows, "table") and rows[0].rank == 1
    assert from_json(to_json(record_of(store))).code == {}


def test_show_compare_and_find_run_name_altered_files(store, logged):
    record, other = record_of(store), record_of(store, "scores")
    path = store.job(record.job_id) / "choice.json"
    path.write_text(path.read_text() + " ")
    assert f"warning: artifacts/jobs/{record.job_id}/choice.json was modified" in format_run(
        summarize_run(store, record.group_id)
    )
    assert summarize_run(store, record.group_id).as_dict()["problems"]
    assert compare(record.group_id, other.group_id, store).notes[0].startswith(f"A: artifacts/jobs/{record.job_id}/")
    find_run(record.group_id, store)
    assert any("choice.json was modified" in line for line in logged)


def test_other_boards_leave_altered_runs_out(store, small_set, logged):
    record = record_of(store)
    path = store.job(record.job_id) / "training.json"
    path.write_text(path.read_text() + " ")
    board = json.loads(format_causal(store, small_set, "expr", "json"))
    assert board and record.group_id not in [row["run_id"] for row in board]
    assert any(f"left out: artifacts/jobs/{record.job_id}/training.json was modified" in line for line in logged)


def test_an_altered_causal_replay_is_made_again(store, small_set):
    record = record_of(store)
    board = format_causal(store, small_set, "expr", "json")
    path = store.causal / record.job_id / "record.json"
    path.write_text(path.read_text().replace(f"{record.coverage}", "0.1"))
    assert format_causal(store, small_set, "expr", "json") == board


def test_labels_planted_into_kept_predictions_reach_no_new_run(store, small_set, recipe_file):
    """The same trainings with other filters replay the kept predictions, which are made anew if they are planted."""
    record = record_of(store)
    job = next(path for path in store.all_predictions.glob("[!.]*") if _is_linked(path, store.job(record.job_id)))
    plant_labels(job / "reported.npz", small_set)
    with captured_logs() as logged:
        result = run(recipe_file, small_set, store, settings=["largest=5", "pictures=false"], jobs=1)
    assert any(f"{job / 'reported.npz'} was modified since the training; training again" in line for line in logged)
    values = {row.value for row in board_rows(store, "expr") if row.rank is not None}
    assert result.failures == [] and max(values) < 0.5


def _is_linked(predictions, job):
    return (predictions / "reported.npz").read_bytes() == (job / "reported.npz").read_bytes()


def test_a_repeated_run_makes_an_altered_job_again(store, small_set, recipe_file):
    record = record_of(store)
    path = store.job(record.job_id) / "reported.npz"
    plant_labels(path, small_set)
    assert row_of(store, record).rank is None
    with captured_logs() as logged:
        result = run(recipe_file, small_set, store, jobs=1)
    assert result.computed == 1 and any(f"{path} was modified since the job finished" in line for line in logged)
    row = row_of(store, record)
    assert row.problems == [] and row.verified and row.value == record.metrics["P_EXPR"]


PATCH = """
from harness.jobs import predictions

collect = predictions.collect_predictions
"""


def test_a_recipe_that_patches_has_the_ids_of_an_honest_one_and_is_marked(finished, small_set, recipe_file, tmp_path):
    """The same settings under the same ids; what ran them is recorded, marked, shown and compared."""
    store = Store(shutil.copytree(finished[0], tmp_path / "copy"))
    record, other = record_of(store), record_of(store, "scores")
    path = recipe_file.with_name("patched.py")
    path.write_text(recipe_file.read_text() + PATCH)
    shutil.rmtree(store.job(record.job_id))
    result = run(path, small_set, store, settings=["pictures=false"], jobs=1)
    assert sum(each.job_id == record.job_id for each in tracked_records(store)) == 1
    assert result.computed == 1 and row_of(store, record).run_id == record.group_id
    rows = {row.run_id: row for row in board_rows(store, "expr")}
    assert {run_id for run_id, row in rows.items() if "other_code" in row.flags} == {record.group_id}
    shown = " ".join(format_run(summarize_run(store, record.group_id)).split())
    assert "(does more than describe an experiment)" in shown
    assert "made by different code (recipe" in " ".join(compare(record.group_id, other.group_id, store).notes)
