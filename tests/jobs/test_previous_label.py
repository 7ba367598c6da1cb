"""The baseline that repeats the previous label."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.data.dataset import Labels
from harness.jobs.baselines import predict_previous_label
from harness.metrics.tasks import get_task

MTL = get_task("mtl")
FALLBACK = np.linspace(-0.5, 0.5, 22, dtype=np.float32)


def rows_of(random, videos=3, count=60, length=15):
    """Rows in any order, frames repeated, a third of each block's labels invalid."""
    names = tuple(f"v{i}" for i in range(videos))
    targets = {
        "expr": random.integers(-4, 8, count).clip(-1),
        "va": random.uniform(-1, 1, (count, 2)),
        "au": random.integers(0, 2, (count, 12)).astype(np.int8),
    }
    targets["va"][random.random(count) < 0.3] = -5
    targets["au"][random.random(count) < 0.3, 4] = -1
    video = random.integers(0, videos, count).astype(np.int32)
    return Labels(
        names,
        video,
        random.integers(1, length, count).astype(np.int32),
        names,
        video,
        names,
        {**targets, "va": targets["va"].astype(np.float32)},
    )


def the_long_way(labels, name, frame):
    expected = FALLBACK.copy()
    valid = MTL.valid(labels.targets)
    for block, columns in MTL.slices().items():
        best = -1
        for row in range(len(labels)):
            before = labels.sequences[labels.sequence[row]] == name and labels.frame[row] < frame
            if before and valid[block][row] and labels.frame[row] >= best:
                best, target = labels.frame[row], labels.targets[block][row]
                expected[columns] = np.eye(8)[target] if block == "expr" else target
    return expected


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_every_block_holds_its_latest_valid_label_of_an_earlier_frame(seed):
    random = np.random.default_rng(seed)
    labels = rows_of(random)
    frames = {
        name: np.sort(random.choice(np.arange(1, 20), size, replace=False)).astype(np.int32)
        for name, size in (("v2", 9), ("v0", 0), ("v1", 12), ("unlabelled", 4))
    }
    said = predict_previous_label(MTL, frames, labels, FALLBACK)
    assert said.sequences == tuple(frames) and said.lengths.tolist() == [9, 0, 12, 4]
    expected = [the_long_way(labels, name, frame) for name, own in frames.items() for frame in own]
    np.testing.assert_array_equal(said.outputs, np.array(expected, dtype=np.float32))
    assert said.frames.tolist() == [frame for own in frames.values() for frame in own]


def test_label_of_a_frame_itself_is_never_repeated_on_it():
    names = ("v",)
    labels = Labels(
        names,
        np.zeros(3, np.int32),
        np.array([2, 3, 5], np.int32),
        names,
        np.zeros(3, np.int32),
        names,
        {"expr": np.array([4, 6, 1])},
    )
    said = predict_previous_label(get_task("expr"), {"v": np.arange(1, 7, dtype=np.int32)}, labels, np.eye(8)[7])
    assert said.outputs.argmax(axis=1).tolist() == [7, 7, 4, 6, 6, 1]
