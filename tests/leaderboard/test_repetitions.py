"""Rows of several trainings of a backbone: pairs of jobs, intervals, tests, missing jobs and notes."""

import dataclasses

import pytest

from harness.leaderboard.comparison import compare_records
from harness.leaderboard.render import render
from harness.leaderboard.repetitions import pair_jobs, pair_seeds, training_groups, training_indices
from harness.leaderboard.rows import leaderboard_rows
from harness.leaderboard.runs import select_seed
from harness.leaderboard.significance import SignificanceCache
from harness.utils.store import Store
from tests.helpers.job_statistics import keep
from tests.helpers.records import record


def repeated(group="many", trainings=(0, 1), seeds=(0, 1), **changes):
    return [
        record(
            group=group,
            seed=seed,
            job_id=f"{group}-t{training}-s{seed}",
            training=training,
            expected_trainings=trainings,
            expected_seeds=seeds,
            training_group="g",
            **changes,
        )
        for training in trainings
        for seed in seeds
    ]


def repetitions(pairs):
    return [(first.repetition, second.repetition) for first, second in pairs]


def test_jobs_are_paired_by_training_and_seed():
    many, other, single = repeated(), repeated("other", (1, 2)), [record(group="single", seed=seed) for seed in (1, 2)]
    assert repetitions(pair_jobs(many, other)) == [((1, 0), (1, 0)), ((1, 1), (1, 1))]
    assert repetitions(pair_jobs(many, single)) == [((0, 1), (None, 1)), ((1, 1), (None, 1))]
    assert repetitions(pair_jobs(single, many)) == [((None, 1), (0, 1)), ((None, 1), (1, 1))]
    assert training_indices(pair_jobs(many, many)) == [0, 0, 1, 1]
    assert pair_jobs(many, repeated("third", (5,))) == []
    assert repetitions(pair_seeds(many, single)) == repetitions(pair_jobs(many, single))


def test_missing_jobs_of_a_training_are_shown():
    jobs = repeated(trainings=(0, 1, 2), seeds=(0, 1, 2))
    kept = [job for job in jobs if job.training != 2 and job.repetition != (1, 2)]
    (row,) = leaderboard_rows(kept)
    assert (row.trainings, row.trainings_missing, row.seeds, row.seeds_missing) == ([0, 1], [2], [0, 1, 2], [2])
    assert "2 of 3 x 2 of 3" in " ".join(render([row]).split()).replace("trainings ", "")


def test_first_training_represents_a_run():
    assert select_seed(repeated()[::-1], None).repetition == (0, 0)
    assert select_seed(repeated()[::-1], 1).repetition == (0, 1)


@pytest.fixture
def trainings(tmp_path):
    """Three trainings of a backbone whose scores differ far more than seeds; and the same jobs as nine seeds."""
    jobs = [
        dataclasses.replace(job, group_id="many", training=training, expected_trainings=(0, 1, 2))
        for training, right in enumerate((0.3, 0.5, 0.7))
        for job in keep(tmp_path, f"t{training}", right)
    ]
    alike = [dataclasses.replace(job, training=None, seed=i, group_id="alike") for i, job in enumerate(jobs)]
    return jobs, alike, SignificanceCache(Store(tmp_path))


def test_interval_takes_trainings_as_repetitions(trainings):
    jobs, alike, cache = trainings
    grouped, single = cache.interval(jobs), cache.interval(alike)
    assert grouped.high - grouped.low > 2 * (single.high - single.low)


def test_test_takes_trainings_as_repetitions(trainings, tmp_path):
    """Nine seeds differ from another run; three trainings of which one is worse do not."""
    jobs, alike, cache = trainings
    other = keep(tmp_path, "other", 0.35)
    found = cache.difference(jobs, other)
    assert found.value > 0 and found.p > 0.05 and found.low < 0 < found.high
    spread = [dataclasses.replace(job, seed=i) for i, job in enumerate(other * 3)]
    assert cache.difference(alike, spread).p < found.p / 2
    compared = compare_records(jobs, other, SignificanceCache(Store(tmp_path)).statistics)
    assert compared.trainings == 3 and compared.metric.paired.p == pytest.approx(found.p, abs=0.01)


def test_board_shows_both_parts_of_the_variance_or_that_there_is_one_training(trainings):
    jobs, _, cache = trainings
    text = " ".join(render(leaderboard_rows(jobs, significance=cache)).split())
    assert "3 trainings x 3 seeds" in text and "± standard deviation over trainings of the backbone and seeds" in text
    (row,) = leaderboard_rows(jobs)
    parts = f"between trainings of the backbone {row.std_trainings:.3f}, between seeds of the head {row.std_seeds:.3f}"
    assert f"standard deviation {parts}" in text.lower() and "one training" not in text
    single = " ".join(render(leaderboard_rows([record()])).split())
    assert (
        "one training of the backbone: the 95% CI does not cover differences between trainings"
        in single.lower().replace("ci", "CI")
    )
    mixed = " ".join(render(leaderboard_rows([*jobs, record(group="one")])).split())
    assert "one training of the backbone in 1 row" in mixed.lower()
    random = render(leaderboard_rows([record(backbone_random=True)]))
    assert "training of the backbone" not in random


def test_seeds_of_a_single_finished_or_paired_training_are_repetitions(trainings, tmp_path):
    """One group of all seeds would have no error, and the seeds would count as one that is known exactly."""
    jobs, alike, cache = trainings
    first, seeds = jobs[:3], alike[:3]
    assert training_groups([(job, job) for job in first]) is None
    assert training_groups([(job, job) for job in jobs]) == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert cache.interval(first) == cache.interval(seeds)
    other = keep(tmp_path, "other", 0.32)
    as_first = [dataclasses.replace(job, training=0, expected_trainings=(0, 1)) for job in other]
    spread = [dataclasses.replace(job, seed=i) for i, job in enumerate(other)]
    found, expected = cache.difference(first, as_first), cache.difference(seeds, spread)
    assert (found.p, found.low, found.high) == (expected.p, expected.low, expected.high)
    compared = compare_records(first, as_first, SignificanceCache(Store(tmp_path)).statistics)
    assert compared.metric.paired.p == pytest.approx(found.p, abs=0.01)
    assert cache.best_comparison([first, as_first]) == cache.best_comparison([seeds, spread])


def test_trainings_with_unequal_numbers_of_seeds_have_one_weighting(trainings):
    """The interval is about the value of the row, the mean over all jobs."""
    jobs, alike, cache = trainings
    unequal, ungrouped = [*jobs[:3], jobs[3], jobs[6]], [*alike[:3], alike[3], alike[6]]
    (row,) = leaderboard_rows(unequal, significance=cache)
    assert row.corrected == pytest.approx(cache.interval(ungrouped).corrected, abs=1e-9)
    assert row.value == pytest.approx(sum(job.metrics[job.metric] for job in unequal) / 5)
    assert row.ci_high - row.ci_low > cache.interval(ungrouped).high - cache.interval(ungrouped).low
