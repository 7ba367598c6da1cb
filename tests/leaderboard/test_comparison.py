"""Comparison of two runs on the same videos, and its errors."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from harness.leaderboard.comparison import compare_records
from harness.leaderboard.comparison_json import to_json
from harness.leaderboard.comparison_text import format_comparison, verdict
from harness.leaderboard.significance import SignificanceCache
from harness.metrics.pooled_scores import score
from harness.metrics.unit_statistics import SufficientStatistics
from harness.tracking.records import FLAGS
from harness.utils.errors import InputError
from harness.utils.store import Store
from tests.helpers.tracked_stores import VIDEOS, better, put, simulated


@pytest.fixture
def runs(tmp_path):
    """Two runs of two seeds; the first reads 40% of the other's confusions rightly."""
    made = simulated("expr", 2, apart=0.3)
    first = [put(tmp_path, "aaaa", seed, better(made[seed]), backbone="good") for seed in (0, 1)]
    return first, [put(tmp_path, "bbbb", seed, made[seed], config={"head": {"l2": 0.1}}) for seed in (0, 1)], tmp_path


def compared(first, second, store):
    return compare_records(first, second, SignificanceCache(Store(store)).statistics)


def test_better_run_and_its_classes_are_found(runs):
    found = compared(*runs)
    one = found.metric.paired
    assert found.metric.name == "P_EXPR" and one.low > 0 and one.p < 0.01
    assert found.metric.first == pytest.approx(np.mean([record.metrics["P_EXPR"] for record in runs[0]]))
    assert one.difference == pytest.approx(found.metric.first - found.metric.second)
    assert [part.name for part in found.parts][:2] == ["accuracy", "F1/Neutral"] and len(found.parts) == 9
    assert all(part.p_adjusted >= part.paired.p for part in found.parts)
    assert found.differing == {
        "backbone": ("good", "tiny_resnet"),
        "l2": (0.0001, None),
        "epochs": (10, None),
        "head.l2": (None, 0.1),
    }
    assert verdict(found).startswith("A is better than B by 0.") and found.notes == ()


def test_verdict_and_interval_agree(runs):
    found = compared(*runs)
    for part in (found.metric, *found.parts):
        assert (part.paired.low <= 0 <= part.paired.high) == (part.paired.p > 0.05)


def test_influential_units_are_listed_with_scores(runs):
    found = compared(*runs)
    moves = [one.influence for one in found.for_first]
    assert len(moves) == 5 and moves == sorted(moves, reverse=True) and moves[-1] > 0
    assert all(one.influence < 0 for one in found.for_second) and found.unit_score == "accuracy"
    cache = SignificanceCache(Store(runs[2]))
    kept = [[cache.statistics(record)[1].arrays["expr"] for record in side] for side in runs[:2]]
    for moved in found.for_first:
        place = VIDEOS.index(moved.unit)
        own = [np.mean([np.trace(one[place]) / one[place].sum() for one in side]) for side in kept]
        assert (moved.first, moved.second) == pytest.approx(own) and moved.first > moved.second


@pytest.mark.parametrize("task, luck", [("va", 0.06), ("au", 0.3)])
def test_equal_runs_show_detectable_difference(tmp_path, task, luck):
    made = simulated(task, 2, apart=luck, seed=1)
    found = compared([put(tmp_path, "aaaa", 0, made[0])], [put(tmp_path, "bbbb", 0, made[1])], tmp_path)
    assert found.metric.paired.p > 0.05
    assert f"detectable difference with 40 videos is {found.detectable:.3f} (80% power)" in verdict(found)
    assert any("one seed of each" in note for note in found.notes)
    assert all(one.first is not None for one in found.for_first)


@pytest.mark.parametrize(
    "task, metric, unit_score", [("expr", "P_EXPR", "accuracy"), ("va", "P_VA", "P_VA"), ("au", "P_AU", "F1")]
)
def test_columns_of_influential_units_say_what_they_are(tmp_path, task, metric, unit_score):
    made = simulated(task, 2, apart=0.3, seed=1)
    found = compared([put(tmp_path, "aaaa", 0, made[0])], [put(tmp_path, "bbbb", 0, made[1])], tmp_path)
    lines = format_comparison(found).splitlines()
    row = next(number for number, line in enumerate(lines) if line.startswith("videos most in favor of A"))
    assert lines[row - 1].split() == ["effect", "on", unit_score, unit_score]
    assert lines[row].split()[-3:] == [metric, "A", "B"]
    assert any(f"; {found.unit_score}: score on the video alone" in line for line in lines)


def test_small_negative_numbers_have_no_sign_at_zero(runs):
    found = compared(*runs)
    tiny = dataclasses.replace(found.metric.paired, difference=-1e-5, low=-2e-5, high=-0.0, p=0.9)
    metric = dataclasses.replace(found.metric, first=-1e-4, second=-0.0, paired=tiny)
    unit = dataclasses.replace(found.for_first[0], influence=-1e-6, first=-1e-5, second=-0.0)
    changed = dataclasses.replace(found, metric=metric, parts=(metric,), for_first=(), for_second=(unit,))
    text = format_comparison(changed)
    assert "-0.000" not in text and "+0.000  [+0.000, +0.000]" in text and "+0.0000" in text


@pytest.mark.parametrize("width", [60, 64, 80, 100])
def test_text_fits_the_width(runs, width):
    assert max(map(len, format_comparison(compared(*runs), width).splitlines())) <= width


def test_units_are_matched_by_name(runs):
    first, second, store = runs
    order = np.random.default_rng(0).permutation(len(VIDEOS))
    for record in second:
        names, found = SignificanceCache(Store(store)).statistics(record)
        np.savez(
            store / "artifacts/jobs" / record.job_id / "statistics.npz",
            units=np.array(names)[order],
            expr=found.arrays["expr"][order],
        )
    shuffled = compared(first, second, store)
    for record in second:
        shutil.rmtree(store / "artifacts/jobs" / record.job_id)
    again = [
        put(store, "bbbb", seed, one, config={"head": {"l2": 0.1}})
        for seed, one in enumerate(simulated("expr", 2, apart=0.3))
    ]
    assert shuffled == compared(first, again, store)


def test_seeds_of_both_are_paired_and_others_are_named(runs):
    first, second, store = runs
    third = put(store, "aaaa", 7, simulated("expr", 1, seed=5)[0])
    found = compared([*first, third], second, store)
    assert found.seeds == ((0, 0), (1, 1)) and found.notes == (
        "A also has seed 7, which B lacks; only seeds that both have are compared here, "
        "whereas the leaderboard averages all seeds",
    )
    with pytest.raises(InputError, match="these have no seed in common: aaaa has seed 7, bbbb has seeds 0, 1"):
        compared([third], second, store)


def test_jobs_without_counterpart_are_named_by_training(tmp_path):
    made = iter(simulated("expr", 5))

    def jobs(group, trainings, **changes):
        options = {"expected_trainings": (0, 1), "training_group": group, **changes}
        return [put(tmp_path, group, 0, next(made), job_id=f"{group}-t{i}", training=i, **options) for i in trainings]

    first, second = jobs("aaaa", (0, 1)), jobs("bbbb", (0,), backbone="good")
    (told,) = [note for note in compared(first, second, tmp_path).notes if "lacks" in note]
    assert told.startswith("A also has seed 0 of training 1, which B lacks")
    with pytest.raises(InputError, match="aaaa has seed 0 of training 1, .*bbbb|bbbb has seed 0 of training 0"):
        compared([*first[1:], *jobs("aaaa", (2,))], second, tmp_path)


def test_two_seeds_of_one_run_can_be_compared_but_a_run_not_with_itself(runs):
    first, _, store = runs
    found = compared(first[:1], first[1:], store)
    assert found.seeds == ((0, 1),) and "seed 0 vs. 1" in format_comparison(found) and found.differing == {}
    with pytest.raises(InputError, match="aaaa would be compared with itself"):
        compared(first, first, store)


@pytest.mark.parametrize(
    "changes, told",
    [
        ({"task": "va", "metric": "P_VA", "metrics": {"P_VA": 0.4}}, "task: expr and va"),
        ({"data_digest": "0" * 12, "dataset": "faces"}, r"data: rendered \[d0d0d0\] and faces \[000000\]"),
        ({"data_digest": "0" * 12}, r"data: rendered \[d0d0d0\] and rendered \[000000\]"),
        ({"split": "test"}, "split: validation and test"),
        ({"scored": 900}, "coverage: .* labeled rows scored and 900 of"),
        ({"config": {"missing": "filled"}}, "rows without a crop: dropped and filled"),
    ],
)
def test_runs_that_are_not_scored_on_the_same_labels_raise(runs, changes, told):
    first, second, store = runs
    with pytest.raises(InputError, match=rf"aaaa and bbbb are not scored on the same labels(.|\n)*{told}"):
        compared(first, [dataclasses.replace(record, **changes) for record in second], store)


def test_other_videos_or_rows_raise_even_where_the_totals_agree(runs):
    first, second, store = runs
    path = store / "artifacts/jobs" / second[0].job_id / "statistics.npz"
    names, found = SignificanceCache(Store(store)).statistics(second[0])
    np.savez(path, units=np.array([*names[:-1], "another"]), expr=found.arrays["expr"])
    with pytest.raises(
        InputError, match="bbbb-s0 and .* are scored on different videos; only one .* has another, video39"
    ):
        compared(first, second, store)
    moved = found.arrays["expr"].copy()
    moved[[0, 1]] = moved[[1, 0]]
    np.savez(path, units=np.array(names), expr=moved)
    with pytest.raises(InputError, match="not scored on the same rows of video video00"):
        compared(first, second, store)


def test_missing_or_broken_statistics_raise(runs):
    first, second, store = runs
    path = store / "artifacts/jobs" / second[1].job_id / "statistics.npz"
    path.write_bytes(b"no")
    with pytest.raises(Exception, match="cannot read a job's statistics"):
        compared(first, second, store)
    path.unlink()
    with pytest.raises(InputError, match="job bbbb-s1 is tracked, but its statistics are not in this store"):
        compared(first, second, store)


def test_caveats_are_printed(tmp_path):
    made = simulated("expr", 2, videos=4)
    units = VIDEOS[:4]
    first = put(tmp_path, "aaaa", 0, made[0], units, protocol="published", flags=("own_scores",))
    found = compared([first], [put(tmp_path, "bbbb", 0, made[1], units)], tmp_path)
    notes = " | ".join(found.notes)
    assert "A was selected on the reported split: its score is optimistic" in notes
    assert f"A: {FLAGS['own_scores']}" in notes
    assert verdict(found).endswith(" With 4 videos no difference can be significant.") and found.detectable is None
    assert found.metric.paired.p > 0.05 and json.loads(to_json(found))["detectable"] is None


def test_undefined_parts_are_marked(tmp_path):
    made = simulated("expr", 2)
    for one in made:
        one.arrays["expr"][:, 3] = 0
        one.arrays["expr"][:, :, 0] += one.arrays["expr"][:, :, 3]
        one.arrays["expr"][:, :, 3] = 0
    found = compared([put(tmp_path, "aaaa", 0, made[0])], [put(tmp_path, "bbbb", 0, made[1])], tmp_path)
    assert [part.name for part in found.parts if part.undefined] == ["F1/Fear"] == list(score(made[0]).undefined)
    assert "u: undefined in some seed, counted as 0" in format_comparison(found)


def test_multi_task_run_has_every_part_and_no_value_of_a_video_alone(tmp_path):
    sides = []
    for seed in range(2):
        arrays = {name: simulated(name, 1, seed=seed)[0].arrays[name] for name in ("va", "expr", "au")}
        sides.append(SufficientStatistics("mtl", arrays))
    records = [
        put(
            tmp_path,
            name,
            0,
            simulated("expr", 1)[0],
            task="mtl",
            metric="P_MTL",
            metrics=score(one).metrics,
            selection={},
            unsmoothed={},
        )
        for name, one in zip(("aaaa", "bbbb"), sides)
    ]
    kept = dict(zip(("aaaa", "bbbb"), sides))
    for side in sides:
        side.arrays["va"][:, :, :3] = sides[0].arrays["va"][:, :, :3]
    with pytest.raises(InputError, match="not scored on the same rows"):
        compare_records(records[:1], records[1:], lambda record: (VIDEOS, kept[record.group_id]))
    kept["bbbb"] = kept["aaaa"]
    found = compare_records(records[:1], records[1:], lambda record: (VIDEOS, kept[record.group_id]))
    assert len(found.parts) == 26 and found.unit_score is None and found.metric.paired.p == 1
    assert "no video has an effect on the difference" in format_comparison(found)
