"""Resolution of RUN arguments."""

import re

import pytest

from harness.leaderboard.runs import find_pair, find_records
from harness.utils.errors import InputError
from tests.helpers.records import record

RECORDS = [
    record("aa11", 0, 0.4),
    record("aa11", 1, 0.5),
    record("aa22", 0, 0.3, status="failed", error="OOM"),
    record("ab33", 0, 0.45),
    record("bb44", 0, 0.9, protocol="published"),
    record("cc55", 0, 0.95, kind="baseline"),
    record("dd66", 0, 0.99, flags=("uses_labels",)),
    record("ee77", 0, 0.97, kind="trial"),
    record(
        "ff88",
        0,
        0.6,
        task="va",
        metric="P_VA",
        metrics={"P_VA": 0.6},
        unsmoothed={"P_VA": 0.5},
        selection={"P_VA": 0.6},
        protocol="published",
    ),
]


def found(text, records=RECORDS):
    return [one.job_id for one in find_records(records, text)]


def test_run_has_finished_seeds_in_order():
    assert found("aa11", RECORDS[::-1]) == ["aa11-s0", "aa11-s1"]
    assert found("aa1") == ["aa11-s0", "aa11-s1"] and found("ab") == ["ab33-s0"]


def test_run_id_prefix_and_job_id():
    assert found("aa11-s1") == found("aa1-s1") == ["aa11-s1"]
    with pytest.raises(InputError, match="run aa11 has no finished seed 7; finished: 0, 1"):
        found("aa11-s7")


def test_ambiguous_prefix_lists_runs():
    with pytest.raises(
        InputError, match=r"'aa' matches 2 runs.*\n  aa11  expr on rendered \[d0d0d0\], held-out: "
    ) as told:
        found("aa")
    assert "aa22" in str(told.value)
    with pytest.raises(InputError, match="and 12 more"):
        found("z", [record(f"z{i:03}") for i in range(20)])


def test_exact_id_wins_over_prefix():
    assert found("aa11", [*RECORDS, record("aa11ff")]) == ["aa11-s0", "aa11-s1"]


def test_unknown_run_suggests_similar_ids():
    with pytest.raises(InputError, match="unknown run 'aa12'; did you mean .*aa11"):
        found("aa12")
    with pytest.raises(InputError, match="unknown run 'q'; run ids are in .*framelight leaderboard"):
        found("q", [record(f"z{i:03}") for i in range(20)])
    with pytest.raises(InputError, match="unknown run ''"):
        found("")
    with pytest.raises(InputError, match="no runs are tracked"):
        found("aa11", [])


def test_run_without_finished_seed_raises():
    with pytest.raises(InputError, match="run aa22 has no finished seed: OOM"):
        found("aa22")


def test_trials_and_published_results_are_not_runs():
    with pytest.raises(InputError, match="unknown run 'ee77'"):
        found("ee77")


def test_best_is_held_out_and_neither_baseline_nor_oracle():
    assert found("best:expr") == ["aa11-s0", "aa11-s1"], "0.45 as ab33, whose id is the later one"
    assert found("best:expr", [*RECORDS, record("0099", 0, 0.7)]) == ["0099-s0"]
    assert found("best:va") == ["ff88-s0"], "published where nothing is held out"


FACES = record("0099", 0, 0.7, dataset="faces", data_digest="f0f0f0f0f0f0")


def test_best_is_of_the_newest_data_set(caplog):
    caplog.set_level("INFO")
    assert found("best:expr", [*RECORDS, FACES]) == ["0099-s0"]
    assert "the best run on the newest dataset, faces [f0f0f0]" in caplog.text
    assert re.search(r"best:expr@DATASET:\n +aa11 .*rendered", caplog.text)
    caplog.clear()
    assert found("best:expr", [FACES, *RECORDS]) == ["aa11-s0", "aa11-s1"] and "0099" in caplog.text
    caplog.clear()
    assert found("best:expr") == ["aa11-s0", "aa11-s1"] and not caplog.text


@pytest.mark.parametrize("dataset", ["faces", "f0f0f0", "f0f0f0f0f0f0"])
def test_best_on_a_given_data_set(dataset, caplog):
    assert found(f"best:expr@{dataset}", [FACES, *RECORDS]) == ["0099-s0"] and not caplog.text


def test_best_of_nothing_raises():
    with pytest.raises(InputError, match="unknown dataset 'face'; did you mean faces"):
        found("best:expr@face", [*RECORDS, FACES])
    with pytest.raises(InputError, match="unknown dataset ''"):
        found("best:expr@")
    with pytest.raises(InputError, match="no run of task au is finished"):
        found("best:au")
    with pytest.raises(InputError, match="no run of task au is finished"):
        found("best:au@rendered")
    with pytest.raises(InputError, match="unknown task 'exrp'; did you mean expr"):
        found("best:exrp")


def test_best_next_to_a_run_uses_its_data():
    faces = [
        record("0099", 0, 0.7, dataset="faces", data_digest="f0f0f0f0f0f0"),
        record("0077", 0, 0.6, dataset="faces", data_digest="f0f0f0f0f0f0"),
    ]
    for first, second, ids in (("best:expr", "0077", ["0099", "0077"]), ("ab33", "best:expr", ["ab33", "aa11"])):
        assert [side[0].group_id for side in find_pair([*RECORDS, *faces], first, second)] == ids
    pair = find_pair([*RECORDS, *faces], "best:expr@rendered", "best:expr@faces")
    assert [side[0].group_id for side in pair] == ["aa11", "0099"]
