import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import InputError
from harness.selection import held_out

NAMES = st.lists(st.text("abcxyz0189-_", min_size=1, max_size=6), min_size=2, max_size=40, unique=True)


def base(name):
    return name.removesuffix("_left").removesuffix("_right")


@given(NAMES, st.integers(0, 1000), st.floats(0.05, 0.95), st.randoms(use_true_random=False))
def test_split_depends_on_seed_and_names_only_not_on_their_order(units, seed, fraction, shuffler):
    shuffled = units.copy()
    shuffler.shuffle(shuffled)
    random.seed(fraction)
    first = dict(zip(units, held_out(units, units, fraction, seed)))
    random.seed(0)
    np.random.seed(0)
    assert dict(zip(shuffled, held_out(shuffled, shuffled, fraction, seed))) == first


@given(NAMES, st.integers(0, 1000), st.floats(0.05, 0.95))
def test_groups_are_never_cut_and_both_sides_hold_something(names, seed, fraction):
    units = [name + side for name in names for side in ("_left", "_right", "")]
    groups = ["g" + name for name in names for _ in range(3)]
    held = held_out(units, groups, fraction, seed)
    assert held.dtype == bool and held.shape == (len(units),)
    assert 0 < held.sum() < len(units)
    assert not {g for g, h in zip(groups, held) if h} & {g for g, h in zip(groups, held) if not h}


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5, 0.9])
def test_the_held_out_share_is_the_nearest_to_the_fraction(fraction):
    units = [f"video{i}" for i in range(40)]
    for seed in range(5):
        assert held_out(units, units, fraction, seed).sum() == round(40 * fraction)


def test_the_split_is_the_same_in_every_process_and_release():
    units = [f"video{i}" for i in range(12)]
    assert np.flatnonzero(held_out(units, units, 0.25, 0)).tolist() == [5, 7, 11]


def test_seeds_differ():
    units = [f"video{i}" for i in range(40)]
    assert len({held_out(units, units, 0.25, seed).tobytes() for seed in range(10)}) > 5


def test_two_subjects_of_one_video_stay_together():
    units = ["a_left", "a_right", "b", "c_left", "c_right", "d"]
    for seed in range(20):
        held = dict(zip(units, held_out(units, [base(unit) for unit in units], 0.5, seed)))
        assert held["a_left"] == held["a_right"] and held["c_left"] == held["c_right"]


@pytest.mark.parametrize("units, groups, fraction, message", [
    ([], [], 0.25, "two groups"),
    (["a"], ["a"], 0.25, "two groups"),
    (["a_left", "a_right"], ["a", "a"], 0.5, "two groups"),
    (["a", "b"], ["a"], 0.5, "2 units but 1 groups"),
    (["a", "b"], ["a", "b"], 0.0, "between 0 and 1"),
    (["a", "b"], ["a", "b"], 1.0, "between 0 and 1"),
    (["a", "b"], ["a", "b"], float("nan"), "between 0 and 1"),
])
def test_a_split_that_cannot_be_is_explained(units, groups, fraction, message):
    with pytest.raises(InputError, match=message):
        held_out(units, groups, fraction, 0)
