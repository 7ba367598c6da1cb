import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

from harness.jobs.job_folder import STATISTICS
from harness.leaderboard import cached_results
from harness.leaderboard.significance import SignificanceCache
from harness.utils.errors import FramelightError
from harness.utils.store import Store
from tests.helpers.job_statistics import VIDEOS, keep


@pytest.fixture
def pair(tmp_path):
    """(store, a run that is right more often, one that is right less often)"""
    return tmp_path, keep(tmp_path, "aaaaaa", 0.6), keep(tmp_path, "bbbbbb", 0.4)


def mean(jobs):
    return sum(job.metrics[job.metric] for job in jobs) / len(jobs)


def test_interval_contains_mean_over_seeds(pair):
    store, good, _ = pair
    found = SignificanceCache(Store(store)).interval(good)
    assert found.low < mean(good) < found.high and found.high - found.low < 0.3
    assert found.low < found.corrected < found.high


def test_difference_of_means_and_p_value(pair):
    store, good, poor = pair
    found = SignificanceCache(Store(store)).difference(good, poor)
    assert found.value == pytest.approx(mean(good) - mean(poor)) and found.low < found.value < found.high
    assert found.p < 0.01 and 0 < found.detectable < found.value and found.seeds == (0, 1, 2)
    against_itself = SignificanceCache(Store(store)).difference(good, good)
    assert against_itself.value == 0 and against_itself.p == 1


def test_board_is_compared_with_its_best_and_cached(pair, monkeypatch):
    store, good, poor = pair
    asked = SignificanceCache(Store(store))
    found = asked.best_comparison([poor, good])
    assert found.p[0] < 0.05 and found.p[1] == 1 and found.detectable[1] is None and 0 < found.luck < 0.1
    assert 0 < found.detectable[0] < mean(good) - mean(poor)
    assert asked.best_comparison([poor, good[:1]]) != found, "other seeds have another result"
    monkeypatch.setattr("harness.metrics.best_comparisons.compare_with_best", None)
    assert SignificanceCache(Store(store)).best_comparison([poor, good]) == found
    monkeypatch.setattr("harness.leaderboard.significance.REVISION", 0)
    with pytest.raises(TypeError):
        SignificanceCache(Store(store)).best_comparison([poor, good])


def test_board_of_different_rows_is_not_compared(tmp_path):
    good, other = keep(tmp_path, "a", 0.6), keep(tmp_path, "b", 0.4, videos=VIDEOS[1:])
    assert SignificanceCache(Store(tmp_path)).best_comparison([good, other]) is None


def test_only_seeds_that_both_have_are_compared(tmp_path):
    good, poor = keep(tmp_path, "a", 0.6, seeds=(0, 1, 2)), keep(tmp_path, "b", 0.4, seeds=(1, 2, 3))
    assert SignificanceCache(Store(tmp_path)).difference(good, poor).seeds == (1, 2)
    assert SignificanceCache(Store(tmp_path)).difference(good[:1], poor) is None


def test_different_units_or_rows_have_no_difference(tmp_path):
    good = keep(tmp_path, "a", 0.6)
    assert SignificanceCache(Store(tmp_path)).difference(good, keep(tmp_path, "b", 0.4, videos=VIDEOS[1:])) is None
    other_rows = keep(tmp_path, "c", 0.4, scored=17)
    assert SignificanceCache(Store(tmp_path)).difference(good, other_rows) is None, "another coverage"
    other_names = tuple(f"other{i}" for i in range(len(VIDEOS)))
    assert SignificanceCache(Store(tmp_path)).difference(good, keep(tmp_path, "d", 0.4, videos=other_names)) is None


def test_different_rows_of_same_units_have_no_difference(tmp_path):
    good, poor = keep(tmp_path, "a", 0.6), keep(tmp_path, "b", 0.4)
    path = tmp_path / "artifacts" / "jobs" / poor[0].job_id / STATISTICS
    with np.load(path) as kept:
        units, counts = kept["units"], kept["expr"]
    counts[0, 0, 0] += 1
    counts[1, counts[1].nonzero()[0][0], counts[1].nonzero()[1][0]] -= 1
    np.savez(path, units=units, expr=counts)
    assert SignificanceCache(Store(tmp_path)).difference(good, poor) is None
    assert SignificanceCache(Store(tmp_path)).difference(good[1:], poor[1:]) is not None


def test_units_are_matched_by_name_in_any_order(tmp_path):
    good, poor = keep(tmp_path, "a", 0.6), keep(tmp_path, "b", 0.4)
    turned = keep(tmp_path, "c", 0.4, order=range(len(VIDEOS) - 1, -1, -1))
    asked = SignificanceCache(Store(tmp_path))
    assert asked.difference(good, turned) == asked.difference(good, poor)
    assert asked.interval(turned) == asked.interval(poor)


def test_missing_statistics_give_no_interval(pair):
    store, good, poor = pair
    (store / "artifacts" / "jobs" / good[1].job_id / STATISTICS).unlink()
    assert SignificanceCache(Store(store)).interval(good) is None
    assert SignificanceCache(Store(store)).difference(good, poor) is None
    assert SignificanceCache(Store(store)).interval(good[:1]) is not None


def test_one_video_alone_gives_no_interval(tmp_path):
    assert SignificanceCache(Store(tmp_path)).interval(keep(tmp_path, "a", 0.6, videos=VIDEOS[:1])) is None


def test_results_are_cached_and_need_no_numpy(pair):
    store, good, poor = pair
    first = SignificanceCache(Store(store)).difference(good, poor)
    code = (
        "import sys; from harness.leaderboard.significance import SignificanceCache\n"
        "from harness.tracking.record_json import from_json\nfrom harness.utils.store import Store\n"
        "good, poor = ([from_json(line) for line in text.splitlines()] for text in sys.argv[2:])\n"
        "found = SignificanceCache(Store(sys.argv[1])).difference(good, poor)\n"
        "print(found.value, found.low, found.high, found.p, 'numpy' in sys.modules)"
    )
    from harness.tracking.record_json import to_json

    texts = ["\n".join(map(to_json, jobs)) for jobs in (good, poor)]
    done = subprocess.run([sys.executable, "-c", code, store, *texts], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [*map(str, (first.value, first.low, first.high, first.p)), "False"]


def test_changed_statistics_are_recomputed(tmp_path):
    good, poor, better = keep(tmp_path, "a", 0.6), keep(tmp_path, "b", 0.4), keep(tmp_path, "c", 0.5)
    before = SignificanceCache(Store(tmp_path)).difference(good, poor)
    for old, new in zip(poor, better):
        folder = tmp_path / "artifacts" / "jobs"
        shutil.copy(folder / new.job_id / STATISTICS, folder / old.job_id / STATISTICS)
    assert SignificanceCache(Store(tmp_path)).difference(good, poor).value < before.value


def test_copied_store_gives_the_same_results(pair, tmp_path):
    store, good, poor = pair
    shutil.copytree(store / "artifacts" / "jobs", tmp_path / "moved" / "artifacts" / "jobs")
    there = SignificanceCache(Store(tmp_path / "moved"))
    assert there.difference(good, poor) == SignificanceCache(Store(store)).difference(good, poor)
    assert there.interval(good) == SignificanceCache(Store(store)).interval(good)


def test_broken_file_raises_with_hint(pair, logged):
    store, good, _ = pair
    path = store / "artifacts" / "jobs" / good[0].job_id / STATISTICS
    whole = path.read_bytes()
    for broken in (b"not an archive", whole[: len(whole) // 2], whole[50:]):
        path.write_bytes(broken)
        logged.clear()
        assert SignificanceCache(Store(store)).interval(good) is None, "a board is read without it"
        assert re.search(f"{path}: cannot read.*run its recipe again", logged[0])
        with pytest.raises(FramelightError, match=f"{path}: cannot read.*run its recipe again"):
            SignificanceCache(Store(store)).statistics(good[0])


def test_missing_statistics_are_fetched_once(pair, tmp_path):
    store, good, poor = pair
    asked = []

    def fetch(job_id, name, path):
        asked.append(job_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(store / "artifacts" / "jobs" / job_id / name, path)
        return True

    here = SignificanceCache(Store(tmp_path / "here"), fetch)
    assert here.interval(good) == SignificanceCache(Store(store)).interval(good)
    assert asked == [job.job_id for job in good]
    again = SignificanceCache(Store(tmp_path / "here"), fetch)
    assert again.interval(good) == here.interval(good) and len(asked) == 3
    assert SignificanceCache(Store(tmp_path / "there"), lambda job_id, name, path: False).interval(good) is None


def test_lost_server_keeps_the_board(pair, tmp_path, logged):
    store, good, poor = pair
    asked = []

    def fetch(job_id, name, path):
        asked.append(job_id)
        raise FramelightError("tracking at http://there no longer answers")

    shutil.copytree(store / "artifacts" / "jobs" / good[0].job_id, tmp_path / "h/artifacts/jobs" / good[0].job_id)
    here = SignificanceCache(Store(tmp_path / "h"), fetch)
    assert here.interval(poor) is None and here.difference(good, poor) is None
    assert here.interval(good[:1]) is not None, "what the store has is used"
    assert len(asked) == len(logged) == 1 and "http://there no longer answers" in logged[0]
    with pytest.raises(FramelightError, match="no longer answers"):
        here.statistics(poor[0])


def test_long_computation_is_logged_once(pair, monkeypatch, logged):
    store, good, poor = pair
    monkeypatch.setattr(cached_results, "PATIENCE_S", 0.0)
    asked = SignificanceCache(Store(store))
    asked.interval(good)
    asked.difference(good, poor)
    assert len(logged) == 1 and "cached" in logged[0]
    SignificanceCache(Store(store)).interval(good)
    assert len(logged) == 1, "nothing was worked out"


@pytest.mark.parametrize(
    "text",
    [
        "",
        '{"low": 0.1',
        "[]",
        "null",
        '{"low": 0.1}',
        '{"low": 0.1, "high": 0.9}',
        '{"low": 0.1, "high": 0.9, "corrected": 0.5, "few_units": null}',
        '{"low": null, "high": 0.9, "corrected": 0.5, "few_units": {}}',
        '{"low": 0.1, "high": 0.9, "corrected": 0.5, "few_units": {"F1/Fear": "2"}}',
        '{"other": 1}',
    ],
)
def test_damaged_or_outdated_cached_result_is_recomputed(pair, text):
    store, good, poor = pair
    made = SignificanceCache(Store(store)).interval(good), SignificanceCache(Store(store)).difference(good, poor)
    for path in (store / "artifacts" / "evidence").glob("*.json"):
        path.write_text(text)
    cache = SignificanceCache(Store(store))
    assert (cache.interval(good), cache.difference(good, poor)) == made
