import random
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data.stratification import stratified_group_kfold, stratified_group_split
from harness.utils.errors import InputError

NAMES = st.lists(st.text("abcxyz0189-_", min_size=1, max_size=6), min_size=2, max_size=40, unique=True)


def base(name):
    return name.removesuffix("_left").removesuffix("_right")


@given(NAMES, st.integers(0, 1000), st.floats(0.05, 0.95), st.randoms(use_true_random=False))
def test_split_depends_on_seed_and_names_only_not_on_their_order(units, seed, fraction, shuffler):
    shuffled = units.copy()
    shuffler.shuffle(shuffled)
    random.seed(fraction)
    first = dict(zip(units, stratified_group_split(units, units, fraction, seed)))
    random.seed(0)
    np.random.seed(0)
    assert dict(zip(shuffled, stratified_group_split(shuffled, shuffled, fraction, seed))) == first


@given(NAMES, st.integers(0, 1000), st.floats(0.05, 0.95))
def test_groups_are_kept_together_and_both_sides_are_non_empty(names, seed, fraction):
    units = [name + side for name in names for side in ("_left", "_right", "")]
    groups = ["g" + name for name in names for _ in range(3)]
    held = stratified_group_split(units, groups, fraction, seed)
    assert held.dtype == bool and held.shape == (len(units),)
    assert 0 < held.sum() < len(units)
    assert not {g for g, h in zip(groups, held) if h} & {g for g, h in zip(groups, held) if not h}


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5, 0.9])
def test_held_out_share_is_the_nearest_to_the_fraction(fraction):
    units = [f"video{i}" for i in range(40)]
    for seed in range(5):
        assert stratified_group_split(units, units, fraction, seed).sum() == round(40 * fraction)


def test_split_is_the_same_in_every_process_and_release():
    units = [f"video{i}" for i in range(12)]
    assert np.flatnonzero(stratified_group_split(units, units, 0.25, 0)).tolist() == [5, 7, 11]


def test_seeds_differ():
    units = [f"video{i}" for i in range(40)]
    assert len({stratified_group_split(units, units, 0.25, seed).tobytes() for seed in range(10)}) > 5


def test_two_subjects_of_one_video_stay_together():
    units = ["a_left", "a_right", "b", "c_left", "c_right", "d"]
    for seed in range(20):
        held = dict(zip(units, stratified_group_split(units, [base(unit) for unit in units], 0.5, seed)))
        assert held["a_left"] == held["a_right"] and held["c_left"] == held["c_right"]


@pytest.mark.parametrize(
    "units, groups, fraction, message",
    [
        ([], [], 0.25, "two groups"),
        (["a"], ["a"], 0.25, "two groups"),
        (["a_left", "a_right"], ["a", "a"], 0.5, "two groups"),
        (["a", "b"], ["a"], 0.5, "2 units but 1 groups"),
        (["a", "b"], ["a", "b"], 0.0, "between 0 and 1"),
        (["a", "b"], ["a", "b"], 1.0, "between 0 and 1"),
        (["a", "b"], ["a", "b"], float("nan"), "between 0 and 1"),
    ],
)
def test_impossible_split_raises(units, groups, fraction, message):
    with pytest.raises(InputError, match=message):
        stratified_group_split(units, groups, fraction, 0)


def videos(random, units=60, rare=3):
    """Rows of 8 classes in each video, as annotators leave them: few classes a video, two of them rare."""
    common = random.integers(0, 400, (units, 6)) * (random.random((units, 6)) < 0.4)
    scarce = np.zeros((units, 2), int)
    for column in range(2):
        scarce[random.choice(units, rare, replace=False), column] = random.integers(1, 300, rare)
    return np.concatenate([common, scarce], axis=1)


@given(st.integers(0, 10_000), st.sampled_from([2, 3, 5]), st.sampled_from([0.1, 0.25, 0.5]))
def test_rare_classes_are_on_both_sides_and_the_share_stays(seed, rare, fraction):
    presence = videos(np.random.default_rng(seed), rare=rare)
    names = [f"video{i}" for i in range(len(presence))]
    held = stratified_group_split(names, names, fraction, seed, presence)
    assert (presence[held].sum(axis=0) > 0).all() and (presence[~held].sum(axis=0) > 0).all()
    assert abs(held.sum() - fraction * len(names)) <= 2


@given(st.integers(0, 10_000))
def test_class_is_held_out_in_proportion(seed):
    presence = videos(np.random.default_rng(seed), rare=12)
    names = [f"video{i}" for i in range(len(presence))]
    held = stratified_group_split(names, names, 0.25, seed, presence)
    shares = presence[held].sum(axis=0) / presence.sum(axis=0)
    assert np.abs(shares - 0.25).mean() < 0.1


@given(st.integers(0, 10_000), st.randoms(use_true_random=False))
def test_stratified_split_depends_on_no_order(seed, shuffler):
    presence = videos(np.random.default_rng(seed))
    names = [f"video{i}{side}" for i in range(len(presence) // 2) for side in ("_left", "_right")]
    order = list(range(len(names)))
    shuffler.shuffle(order)
    shuffled = [names[i] for i in order]
    for divide in (
        lambda units, held: stratified_group_split(units, [base(u) for u in units], 0.25, seed, held),
        lambda units, held: stratified_group_kfold(units, [base(u) for u in units], held, 4, seed),
    ):
        first = dict(zip(names, divide(names, presence)))
        assert dict(zip(shuffled, divide(shuffled, presence[order]))) == first
        assert all(first[name] == first[name.replace("_left", "_right")] for name in names)


@given(st.integers(0, 10_000), st.sampled_from([2, 3, 5]))
def test_folds_are_of_one_size_and_each_has_what_enough_videos_have(seed, k):
    presence = videos(np.random.default_rng(seed), rare=k)
    names = [f"video{i}" for i in range(len(presence))]
    fold = stratified_group_kfold(names, names, presence, k, seed)
    sizes = np.bincount(fold, minlength=k)
    assert len(sizes) == k and sizes.max() - sizes.min() <= 4
    assert all((presence[fold == number].sum(axis=0) > 0).all() for number in range(k))


def test_stratified_split_is_the_same_in_every_process_and_release():
    names = [f"video{i}" for i in range(12)]
    presence = np.eye(4, dtype=int)[np.arange(12) % 4] * 10
    assert np.flatnonzero(stratified_group_split(names, names, 0.25, 0, presence)).tolist() == [0, 2, 3, 9]
    assert stratified_group_kfold(names, names, presence, 3, 0).tolist() == [0, 1, 0, 0, 2, 2, 1, 1, 1, 0, 2, 2]


def test_seeds_differ_in_stratified_splits_too():
    presence = videos(np.random.default_rng(0))
    names = [f"video{i}" for i in range(len(presence))]
    assert len({stratified_group_split(names, names, 0.25, seed, presence).tobytes() for seed in range(10)}) > 5


def test_splitting_thousands_of_subjects_is_fast():
    random = np.random.default_rng(0)
    presence = np.eye(8, dtype=int)[random.choice(8, 50_000, p=[0.3, 0.2, 0.2, 0.1, 0.1, 0.05, 0.0499, 0.0001])]
    names = [f"subject{i}" for i in range(len(presence))]
    began = time.process_time()
    held = stratified_group_split(names, names, 0.25, 0, presence)
    assert time.process_time() - began < 20
    assert held.sum() == 12_500 and 0 < presence[held, 7].sum() < presence[:, 7].sum()


@pytest.mark.parametrize("k", [0, 1, 3])
def test_impossible_folds_raise(k):
    with pytest.raises(InputError, match=f"cannot make {k} folds of 3 units in 2 groups.*protocol.folds"):
        stratified_group_kfold(["a_left", "a_right", "b"], ["a", "a", "b"], None, k, 0)


def test_folds_without_labels_depend_on_names_only():
    names = [f"video{i}" for i in range(20)]
    assert np.bincount(stratified_group_kfold(names, names, None, 4, 0)).tolist() == [5, 5, 5, 5]
