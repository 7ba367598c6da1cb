"""Jobs trained together have the same predictions as alone, and failures stay separate."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from harness import Grid, HeadConfig, HeadOverride, Protocol, Recipe, SmoothingGrid
from harness.jobs.execute import run_job, train_group
from harness.jobs.predictions import Predictions
from harness.runner.executors import local_executor
from harness.runner.expansion import JobGrid
from harness.runner.preparation import prepare_inputs
from harness.runner.scheduler import MAX_HIDDEN_GROUP, MAX_LINEAR_GROUP, JobScheduler, group_jobs
from harness.utils.store import Store

LINEAR = tuple(
    HeadConfig("logistic_regression", l2=l2, learning_rate=rate, epochs=epochs)
    for l2, rate, epochs in ((0.0, 1e-2, 3), (1e-3, 3e-3, 4), (1e-2, 1e-2, 2))
)
DEEP = tuple(HeadConfig("mlp", hidden=8, l2=l2, epochs=2) for l2 in (0.0, 1e-3))
RECIPE = Recipe(
    name="together",
    backbones=("tiny_mobilenet@random",),
    smoothing=SmoothingGrid(largest=3),
    seeds=(0, 1),
    grids=(Grid("va", ("embeddings",), (*LINEAR, *DEEP, HeadConfig("mlp", hidden=9))),),
    pictures=False,
    baselines=False,
)
FOLDS = Protocol(folds=3)


@pytest.fixture(scope="module")
def prepared(small_set, tmp_path_factory):
    return prepare_inputs(RECIPE, small_set, Store(tmp_path_factory.mktemp("together") / "store"))


@pytest.fixture
def fresh(prepared, tmp_path):
    """A store without a job that has the features."""
    store = tmp_path / "store"
    store.mkdir()
    (store / "features").symlink_to(prepared.store.features)
    return dataclasses.replace(prepared, store=Store(store))


def jobs_of(prepared, **changes):
    return JobGrid(dataclasses.replace(RECIPE, **changes), prepared).jobs()


def linear(prepared, **changes):
    return jobs_of(prepared, **{"grids": (Grid("va", ("embeddings",), LINEAR),), "seeds": (0,), **changes})


def kept(job):
    found = [Predictions.load(job.predictions / name).outputs for name in ("selection.npz", "reported.npz")]
    return found, json.loads((job.predictions / "training.json").read_text())


def require_same(ours, alone):
    (mine, summary), (theirs, other) = kept(ours), kept(alone)
    for one, expected in zip(mine, theirs):
        np.testing.assert_allclose(one, expected, rtol=0, atol=1e-5)
    assert summary["epochs"] == other["epochs"] and summary["parameters"] == other["parameters"]
    assert set(summary) == set(other)


def scheduled(jobs, workers=1):
    with local_executor(workers) as executor:
        schedule = JobScheduler(
            executor, workers, dict.fromkeys(jobs), lambda job: job.predictions.is_dir(), lambda job: None
        )
        return dict(schedule)


def shape(found):
    return [[(job.configuration.head.kind, job.seed) for job in group] for group in found]


def test_group_is_of_one_seed_and_of_heads_that_differ_in_few_settings(prepared):
    assert shape(group_jobs(jobs_of(prepared))) == [
        [("logistic_regression", 0)] * 3,
        [("logistic_regression", 1)] * 3,
        [("mlp", 0)] * 2,
        [("mlp", 1)] * 2,
    ]


def test_other_differences_separate_groups(prepared):
    for other in (dict(batch_size=64), dict(standardise=False), dict(va_loss="mse"), dict(kind="multitask")):
        heads = (LINEAR[0], dataclasses.replace(LINEAR[1], **other))
        assert group_jobs(linear(prepared, grids=(Grid("va", ("embeddings",), heads),))) == []
    features = Grid("va", ("embeddings", "scores"), LINEAR[:1])
    assert group_jobs(linear(prepared, grids=(features,))) == []
    assert group_jobs([*linear(prepared)[:1], *linear(prepared, protocol=FOLDS)[1:2]]) == []


def test_ungroupable_jobs(prepared):
    separate = tuple(HeadConfig("separate", l2=l2, parts=(HeadOverride("va"),)) for l2 in (0.0, 1e-3))
    recipe = dataclasses.replace(RECIPE, grids=(Grid("mtl", ("embeddings",), separate),), baselines=True)
    everything = dataclasses.replace(prepared, labels={**prepared.labels, "mtl": "0"})
    assert group_jobs(JobGrid(recipe, everything).jobs()) == []


def test_jobs_that_share_a_training_are_in_one_group_and_are_no_group_by_themselves(prepared):
    smoothings = (SmoothingGrid(largest=1), SmoothingGrid(largest=2))
    jobs = linear(
        prepared, smoothing=SmoothingGrid(), grids=(Grid("va", ("embeddings",), LINEAR[:2], smoothings=smoothings),)
    )
    (group,) = group_jobs(jobs)
    assert len(group) == 4 and len({job.training_id for job in group}) == 2
    assert group_jobs([job for job in jobs if job.configuration.head == LINEAR[0]]) == []


def test_group_sizes(prepared):
    for kind, most in (("logistic_regression", MAX_LINEAR_GROUP), ("mlp", MAX_HIDDEN_GROUP)):
        heads = tuple(HeadConfig(kind, l2=l2 / 100) for l2 in range(2 * most + 3))
        jobs = linear(prepared, grids=(Grid("va", ("embeddings",), heads),))
        first, second, last = group_jobs(jobs)
        assert [len(first), len(second), len(last)] == [most, most, 3]
        assert group_jobs([*first, *last]) == [first, last], "a run that was killed goes on with the same groups"


@pytest.mark.training
@pytest.mark.parametrize(
    "protocol",
    [Protocol(), FOLDS, Protocol(refit=True), Protocol("published")],
    ids=["held-out", "folds", "refit", "published"],
)
def test_grouped_jobs_save_the_same_as_single_jobs(prepared, fresh, protocol):
    ours, alone = linear(prepared, protocol=protocol), linear(fresh, protocol=protocol)
    assert train_group(ours, [None] * len(ours)) == {}
    for job, expected in zip(ours, alone):
        record, other = run_job(job), run_job(expected)
        require_same(job, expected)
        assert record.metrics == pytest.approx(other.metrics, abs=1e-5) and record.radius == other.radius


def test_schedule_trains_groups_and_gives_every_job_its_record(prepared, fresh):
    jobs = jobs_of(fresh)
    found = scheduled(jobs)
    assert set(found) == set(jobs) and {record.status for record in found.values()} == {"finished"}
    assert not list(fresh.store.root.glob("artifacts/*/*.aside"))
    deep = [job for job in jobs if job.configuration.head.hidden][0]
    alone = dataclasses.replace(deep, store=prepared.store)
    run_job(alone)
    assert all(np.array_equal(one, other) for one, other in zip(kept(deep)[0], kept(alone)[0]))


def test_results_do_not_depend_on_the_workers(fresh, prepared, tmp_path):
    jobs = [job for job in jobs_of(fresh, seeds=(0,)) if job.configuration.head in LINEAR]
    scheduled(jobs)
    again = tmp_path / "again"
    again.mkdir()
    (again / "features").symlink_to(prepared.store.features)
    moved = [dataclasses.replace(job, store=Store(again)) for job in jobs]
    scheduled(moved, workers=2)
    for job, other in zip(jobs, moved):
        assert all(np.array_equal(one, expected) for one, expected in zip(kept(job)[0], kept(other)[0]))


def test_group_killed_while_saving_resumes_identically(prepared, fresh, monkeypatch):
    jobs, save, saved = linear(fresh), Predictions.save, []

    def killed(predictions, path):
        saved.append(path)
        if len(saved) == 4:
            raise KeyboardInterrupt
        save(predictions, path)

    monkeypatch.setattr(Predictions, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        scheduled(jobs)
    assert [path for path in (fresh.store.root / "artifacts" / "predictions").iterdir() if path.is_dir()] == []
    monkeypatch.undo()
    scheduled(jobs)
    whole = linear(prepared)
    shutil.rmtree(prepared.store.root / "artifacts" / "predictions", ignore_errors=True)
    scheduled(whole)
    for job, other in zip(jobs, whole):
        assert all(np.array_equal(one, expected) for one, expected in zip(kept(job)[0], kept(other)[0]))


def test_diverging_job_fails_alone(fresh, logged):
    wild = HeadConfig("logistic_regression", va_loss="mse", learning_rate=1e38, epochs=2)
    tame = tuple(dataclasses.replace(wild, learning_rate=rate) for rate in (1e-3, 1e-2))
    jobs = linear(fresh, grids=(Grid("va", ("embeddings",), (tame[0], wild, tame[1])),))
    assert len(group_jobs(jobs)) == 1
    found = scheduled(jobs)
    first, failed, last = (found[job] for job in jobs)
    assert (first.status, last.status) == ("finished", "finished") and logged == []
    assert "lower the learning rate" in str(failed) or "not finite" in str(failed)
    assert not jobs[1].predictions.exists()


def test_failed_group_is_trained_one_by_one(fresh, logged):
    """Its place is taken, so that nothing is kept; each job then says so itself."""
    jobs = linear(fresh)
    in_the_way = fresh.store.root / "artifacts" / "predictions"
    in_the_way.parent.mkdir()
    in_the_way.write_text("not a folder")
    found = scheduled(jobs)
    assert all(str(in_the_way) in str(found[job]) for job in jobs) and len(logged) == 1
    assert "jobs one by one" in logged[0]


def trials(prepared):
    return [
        dataclasses.replace(job, configuration=dataclasses.replace(job.configuration, kind="trial"))
        for job in linear(prepared)
    ]


def test_pruned_trials_save_a_record_only(fresh):
    jobs, told = trials(fresh), []

    def stops(epoch, value):
        told.append((epoch, value))
        return epoch == 2

    pruned = train_group(jobs, [None, stops, None])
    record = pruned.pop(jobs[1].job_id)
    assert not pruned and record.status == "pruned" and record.selection["P_VA"] == max(value for _, value in told)
    assert [epoch for epoch, _ in told] == [1, 2] and not jobs[1].predictions.exists()
    assert (jobs[1].folder / "record.json").is_file()
    assert [job.predictions.is_dir() for job in jobs] == [True, False, True]


def test_shared_training_is_pruned_if_all_trials_are(fresh):
    one, two, _ = trials(fresh)
    other = dataclasses.replace(
        one, configuration=dataclasses.replace(one.configuration, smoothing=SmoothingGrid(largest=1))
    )
    asked = []

    def says(name, at):
        def on_epoch(epoch, value):
            asked.append((name, epoch))
            return epoch >= at

        return on_epoch

    pruned = train_group([one, other, two], [says("one", 1), says("other", 2), None])
    assert set(pruned) == {one.job_id, other.job_id}
    assert asked == [("one", 1), ("other", 1), ("one", 2), ("other", 2)]
