"""Records that someone else has written: each ends with a board without it and one line that names it."""

import json
import shutil

import pytest

from harness.cli import main
from harness.data.protocol import Protocol
from harness.jobs.job import Configuration
from harness.smoothing.candidates import SmoothingGrid
from harness.tracking import open_tracker, tracked_records
from harness.tracking.record_json import SCHEMA, from_json, to_json
from harness.tracking.serialization import JOB_TAG, RECORD_TAG
from harness.training.heads.config import HeadConfig
from harness.utils.errors import FramelightError
from harness.utils.hashing import to_jsonable
from harness.utils.store import Store
from tests.helpers.hostile_records import DEEP, NAMES, document, mutations, tagged, write_database
from tests.helpers.job_statistics import keep
from tests.helpers.records import record

CONFIGURATION = Configuration(
    "run",
    "expr",
    "d0d0d0d0d0d0",
    "0123456789abcdef",
    "embeddings",
    HeadConfig("mlp", hidden=16),
    SmoothingGrid(largest=20),
    Protocol(),
)
VIEWS = (
    ("leaderboard",),
    ("leaderboard", "--format", "md"),
    ("leaderboard", "--format", "csv"),
    ("leaderboard", "--format", "json"),
    ("leaderboard", "--optimism"),
    ("leaderboard", "--cost"),
    ("leaderboard", "--causal"),
    ("leaderboard", "--published", "--task", "expr"),
    ("show", "best:expr"),
    ("compare", "aaaa", "bbbb"),
)


def files(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def store_with(tmp_path, *foreign, seeds=(0,)):
    """A store with two local runs and foreign runs in its database."""
    store = tmp_path / "home" / "store"
    jobs = [*keep(store, "aaaa", 0.6, seeds=seeds), *keep(store, "bbbb", 0.5, seeds=seeds)]
    put(store, jobs, *foreign)
    return store


def put(store, jobs, *foreign):
    own = [(f"own{i}", {RECORD_TAG: to_json(job), JOB_TAG: job.job_id}) for i, job in enumerate(jobs)]
    write_database(store / "mlflow.db", [*own, *foreign])


def board(store, capsys, *arguments, code=0):
    capsys.readouterr()
    assert main(["leaderboard", "--store", str(store), *arguments]) == code
    told = capsys.readouterr()
    assert "defect" not in told.err
    return told.out, told.err


def outside(tmp_path):
    """Everything but what a store caches of the statistics of its boards."""
    return {path: time for path, time in files(tmp_path).items() if "evidence" not in path.parts and path.is_file()}


@pytest.mark.parametrize("field", ["job_id", "group_id"])
@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_an_id_that_is_a_path_is_no_record(tmp_path, capsys, field, name):
    store = store_with(tmp_path, tagged("strange", document(record("cccc"), **{field: name})))
    before = outside(tmp_path)
    out, err = board(store, capsys, "--format", "json")
    assert {row["run_id"] for row in json.loads(out)} == {"aaaa", "bbbb"}
    assert err.count("strange") == 1 and field in err and err.count("\n") == 1
    assert outside(tmp_path) == before


@pytest.mark.parametrize("name", ["../../../planted", "{tmp}/planted", "a/../../../../planted"])
def test_reading_a_board_writes_nothing_outside_the_store(tmp_path, capsys, name):
    """A whole location of someone else, whose jobs have files that the board downloads."""
    theirs, store, uri = tmp_path / "theirs", tmp_path / "home" / "store", f"sqlite:///{tmp_path / 'theirs/mlflow.db'}"
    good = keep(theirs, "aaaa", 0.6, seeds=(0,))[0]
    tracker = open_tracker(Store(theirs))
    study = tracker.start_study("r", "s")
    folder = theirs / "artifacts" / "jobs" / good.job_id
    tracker.log_record(good, folder, study)
    planted = record("bbbb", annotated=good.annotated, scored=good.scored)
    object.__setattr__(planted, "job_id", name.format(tmp=tmp_path))
    tracker.log_record(planted, folder, study)
    shutil.rmtree(theirs / "artifacts" / "jobs")
    out, err = board(store, capsys, "--tracking-uri", uri, "--format", "json")
    assert [row["run_id"] for row in json.loads(out)] == ["aaaa"] and json.loads(out)[0]["ci_method"] == "jackknife"
    assert not list(tmp_path.rglob("planted*"))
    assert {path.parent for path in (tmp_path / "home").rglob("*.npz")} == {store / "artifacts/evidence/statistics"}
    assert "left out" in err


@pytest.mark.parametrize(
    "text, reason",
    [
        ("", "JSON"),
        ("{", "JSON"),
        ("[]", "not a record"),
        ('"text"', "not a record"),
        ("null", "not a record"),
        ("{}", "not a record"),
        (DEEP, "nested"),
        ('{"schema": 1, "config": ' + DEEP + "}", "nested"),
        ('{"schema": NaN}', "not a record|NaN"),
        ('{"schema": 1, "seed": ' + "9" * 5000 + "}", "JSON|digits|number"),
    ],
    ids=range(10),
)
def test_what_is_no_json_of_a_record_is_named(tmp_path, capsys, text, reason):
    import re

    store = store_with(tmp_path, tagged("strange", text))
    out, err = board(store, capsys, "--format", "json")
    assert len(json.loads(out)) == 2
    assert err.count("strange") == 1 and re.search(reason, err) and len(err) < 1000


@pytest.mark.parametrize(
    "schema, newer", [(SCHEMA + 1, True), (99, True), ("1", False), (True, False), (0, False), (None, False)]
)
def test_a_record_of_a_newer_schema_is_said_to_be_one(tmp_path, capsys, schema, newer):
    changes = {"schema": schema, "something_new": {"x": 1}}
    store = store_with(tmp_path, tagged("strange", document(record("cccc"), **changes)))
    out, err = board(store, capsys, "--format", "json")
    assert len(json.loads(out)) == 2 and "strange" in err
    assert ("newer version of Framelight" in err) == newer


@pytest.mark.parametrize(
    "field, value",
    [
        ("seed", "0"),
        ("seed", True),
        ("seed", 1.5),
        ("seed", -1),
        ("seed", 10**30),
        ("metrics", {"P_EXPR": "0.5"}),
        ("metrics", {"P_EXPR": None}),
        ("metrics", {"P_EXPR": 1e308}),
        ("metrics", {"P_EXPR": 10**400}),
        ("metrics", []),
        ("metrics", {}),
        ("metric", 3),
        ("unsmoothed", {"P_EXPR": []}),
        ("selection", None),
        ("coverage", "all"),
        ("coverage", 1e300),
        ("ci_low", "0"),
        ("units", "12"),
        ("unit", "video\x1b"),
        ("unit", ["video"]),
        ("parameters", None),
        ("parameters", 10**400),
        ("radius", "7"),
        ("radius", -3),
        ("radius", 10**9),
        ("kernel", None),
        ("thresholds", [None] * 12),
        ("thresholds", "0.5"),
        ("thresholds", [0.5]),
        ("expected_seeds", 3),
        ("expected_seeds", ["0"]),
        ("expected_seeds", list(range(100_000))),
        ("flags", [["own_scores"]]),
        ("flags", "own_scores"),
        ("undefined", [1]),
        ("config", None),
        ("config", []),
        ("config", {"head": {"parts": [3]}}),
        ("config", {"head": {"parts": {"va": {}}}}),
        ("config", {"smoothing": {"kernels": 3}}),
        ("config", {"smoothing": {"kernels": ["mean"], "largest": "x"}}),
        ("config", {"entry": "../../x"}),
        ("config", {"entry": 7}),
        ("config", {"note": ["n"]}),
        ("config", {"source": {"a": 1}}),
        ("dataset", None),
        ("dataset", "d" * 100_000),
        ("data_digest", "../.."),
        ("data_digest", 5),
        ("weights_hash", {}),
        ("backbone", 5),
        ("backbone_random", "no"),
        ("task", None),
        ("task", "expr\n"),
        ("split", "a/b"),
        ("split", ["validation"]),
        ("protocol", {}),
        ("kind", "king"),
        ("status", ["finished"]),
        ("epoch", "4"),
        ("error", 5),
        ("recipe", []),
        ("unknown_field", 1),
    ],
    ids=str,
)
def test_a_field_of_the_wrong_type_is_named(tmp_path, capsys, field, value):
    store = store_with(tmp_path, tagged("strange", document(record("cccc"), **{field: value})))
    out, err = board(store, capsys, "--format", "json")
    assert {row["run_id"] for row in json.loads(out)} == {"aaaa", "bbbb"}
    assert err.count("strange") == 1 and field in err and len(err) < 1000


def test_a_missing_field_is_named(tmp_path, capsys):
    values = document(record("cccc"))
    del values["seed"], values["metric"]
    out, err = board(store_with(tmp_path, tagged("strange", values)), capsys, "--format", "json")
    assert len(json.loads(out)) == 2 and "strange" in err and "metric" in err and "seed" in err


def test_many_bad_records_are_counted(tmp_path, capsys):
    store = store_with(tmp_path, *(tagged(f"strange{i}", "{") for i in range(50)))
    _, err = board(store, capsys)
    assert "50 tracked records" in err and err.count("strange") <= 5 and "more" in err


@pytest.mark.parametrize("value", [b"\xff\xfe{", b"{}", 5, None])
def test_tags_that_are_no_text_are_no_records(tmp_path, capsys, value):
    store = store_with(
        tmp_path, ("strange", {RECORD_TAG: value, JOB_TAG: value}), ("odd", {RECORD_TAG: "{", f"{RECORD_TAG}.2": value})
    )
    out, _ = board(store, capsys, "--format", "json")
    assert len(json.loads(out)) == 2


def test_a_record_file_in_the_store_is_read_the_same_way(tmp_path):
    for text in ("{", DEEP, json.dumps(document(record("cccc"), job_id="../x"))):
        with pytest.raises(FramelightError, match="here"):
            from_json(text, "here")


def test_records_with_another_spelling_of_themselves_are_read(tmp_path):
    """What earlier versions wrote: compact and indented documents, whole numbers as scores."""
    one = record("cccc", metrics={"P_EXPR": 1, "accuracy": 0})
    assert from_json(to_json(one)).metrics == from_json(to_json(one, indent=1)).metrics == {"P_EXPR": 1, "accuracy": 0}


@pytest.mark.parametrize("count, seed", [(10, 15), pytest.param(200, 16, marks=pytest.mark.slow)])
def test_every_mutation_ends_with_a_board_or_one_message(tmp_path, capsys, count, seed):
    store = tmp_path / "home" / "store"
    jobs = [*keep(store, "aaaa", 0.6), *keep(store, "bbbb", 0.5)]
    base = keep(
        store,
        CONFIGURATION.group_id,
        0.55,
        seeds=(0,),
        config=to_jsonable(CONFIGURATION),
        thresholds=(0.5,) * 12,
        flags=("own_scores",),
        environment={"python": "3.11", "packages": {"torch": "2.11"}},
        curve={"mean": {"radius": [0, 1], "reported": [0.4, 0.5]}},
    )[0]
    before = outside(tmp_path)
    failures = []
    for number, (what, values) in enumerate(mutations(document(base), count, seed=seed)):
        put(store, jobs, tagged("strange", values))
        views = [*VIEWS[:4], VIEWS[4 + number % (len(VIEWS) - 4)], ("show", CONFIGURATION.group_id)]
        for arguments in views:
            capsys.readouterr()
            try:
                code = main([*arguments, "--store", str(store)])
                told = capsys.readouterr()
                told.out.encode(), told.err.encode()
            except Exception as error:
                failures.append(f"{what}: {arguments}: {type(error).__name__} {error}")
                continue
            if code not in (0, 2) or "defect" in told.err or "\x1b" in told.out + told.err:
                failures.append(f"{what}: {arguments}: {code} {told.err[-300:]}")
            elif arguments[0] == "leaderboard" and not told.out.strip():
                failures.append(f"{what}: {arguments}: no board")
    assert not failures, f"{len(failures)} failures\n" + "\n".join(failures[:30])
    after = {path: time for path, time in outside(tmp_path).items() if path.name != "mlflow.db"}
    assert after == {path: time for path, time in before.items() if path.name != "mlflow.db"}


def test_the_good_records_of_a_location_stay(tmp_path):
    store = store_with(tmp_path, tagged("strange", "{"), seeds=(0, 1))
    assert sorted(one.job_id for one in tracked_records(Store(store))) == ["aaaa-s0", "aaaa-s1", "bbbb-s0", "bbbb-s1"]
