"""Rows of labels over stored features: coverage, order and memory."""

import itertools
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from harness.features.matrix import FeatureMatrix, iter_sequence
from harness.features.row_reader import to_float32
from harness.features.store import FeatureStore
from harness.utils.errors import FramelightError, InputError
from tests.helpers.crop_folders import labels_of


def make_entry(root, lengths, width=5, dtype="float16", step=1):
    """An entry written through the store's own door; embeddings[t, j] = 100 * sequence + t + j / 8."""
    store = FeatureStore(root)
    for number, (name, length) in enumerate(lengths.items()):
        base = 100 * number + np.arange(length)[:, None]
        store.write_sequence(
            "key",
            name,
            {
                "embeddings": (base + np.arange(width) / 8).astype(dtype),
                "scores": -base.repeat(2, axis=1).astype(dtype),
                "frames": np.arange(1, length * step + 1, step, dtype=np.int32),
            },
            [],
        )
    return store.complete(
        "key",
        sorted(lengths),
        {"backbone": {}, "data_digest": "d", "dtype": dtype, "widths": {"embeddings": width, "scores": 2}},
    )


@pytest.fixture
def entry(tmp_path):
    return make_entry(tmp_path, {"a": 10, "b": 4, "c": 0}, step=2)


@pytest.fixture
def labels():
    return labels_of([("b", 1), ("a", 3), ("a", 4), ("c", 1), ("a", 19), ("a", 3), ("b", 7), ("zz", 1), ("b", 9)])


def test_rows_and_coverage(entry, labels):
    matrix = FeatureMatrix(entry, "embeddings", labels)
    np.testing.assert_array_equal(matrix.rows, [0, 1, 4, 5, 6])
    assert matrix.coverage == pytest.approx(5 / 9) and matrix.width == 5 and len(matrix) == 5


def test_gather_returns_the_crop_of_each_row(entry, labels):
    matrix = FeatureMatrix(entry, "embeddings+scores", labels)
    values = matrix.gather(np.array([6, 1, 0, 4, 1]))
    assert values.dtype == np.float32 and values.shape == (5, 7)
    np.testing.assert_array_equal(values[:, 0], [103, 1, 100, 9, 1])
    np.testing.assert_array_equal(values[:, 5:], -values[:, [0, 0]])
    with pytest.raises(ValueError, match="without a crop"):
        matrix.gather(np.array([2]))


def test_no_label_at_all(entry):
    matrix = FeatureMatrix(entry, "scores", labels_of([]))
    assert matrix.coverage == 0.0 and list(matrix.batches(4, 0, 0)) == [] and matrix.gather(matrix.rows).shape == (0, 2)


def test_unknown_features(entry, labels):
    with pytest.raises(InputError, match="did you mean scores"):
        FeatureMatrix(entry, "score", labels)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("memory", [2**30, 150_000, 0])
def test_batches_are_one_pass_and_a_function_of_seed_and_epoch(tmp_path, memory, dtype):
    entry = make_entry(tmp_path, {"a": 3000, "b": 2000}, dtype=dtype)
    labels = labels_of([(name, frame) for name in "ab" for frame in range(1, 2001)])
    matrix = FeatureMatrix(entry, "embeddings+scores", labels, memory)
    passes = {key: list(matrix.batches(300, *key)) for key in [(0, 0), (0, 1), (1, 0)]}
    for batches in passes.values():
        assert [len(rows) for rows, _ in batches] == [300] * 13 + [100]
        rows = np.concatenate([rows for rows, _ in batches])
        np.testing.assert_array_equal(np.sort(rows), matrix.rows)
        np.testing.assert_array_equal(np.concatenate([values for _, values in batches]), matrix.gather(rows))
    again = list(FeatureMatrix(entry, "embeddings+scores", labels).batches(300, 0, 0))
    np.testing.assert_array_equal(again[5][0], passes[0, 0][5][0])
    for one, other in itertools.combinations(passes.values(), 2):
        assert not np.array_equal(one[0][0], other[0][0])
    first = passes[0, 0][0][0]
    assert np.ptp(first) > 2000 and np.abs(np.diff(first)).mean() > 500


def test_row_order_matches_earlier_versions(tmp_path):
    """Pinned: another order would be another training under the identity of the old one."""
    matrix = FeatureMatrix(make_entry(tmp_path, {"a": 3000}), "noise", labels_of([("a", t) for t in range(1, 3001)]))
    rows = np.concatenate([rows for rows, _ in matrix.batches(256, 3, 2)])
    assert rows[[0, 1, 2, 255, 256, 2047, 2048, 2999]].tolist() == [421, 1808, 2912, 1681, 2384, 2807, 52, 2293]


@pytest.mark.parametrize("size", [1, 64, 2048, 5000])
def test_batches_in_stored_precision_are_the_same_rows(tmp_path, size):
    entry = make_entry(tmp_path, {"a": 4200}, dtype="float16")
    labels = labels_of([("a", frame) for frame in range(1, 4201)])
    for memory in (0, 2**30):
        matrix = FeatureMatrix(entry, "embeddings", labels, memory)
        for (rows, values), (other, stored) in zip(
            matrix.batches(size, 5, 1), matrix.stored_batches(size, 5, 1), strict=True
        ):
            assert (values.dtype, stored.dtype) == (np.float32, np.float16)
            np.testing.assert_array_equal(rows, other)
            np.testing.assert_array_equal(values, stored)


def test_rows_may_jump_repeat_and_go_backwards(tmp_path):
    """Missing crops, frames annotated every so often, duplicates and unsorted rows all find their crop; a duplicate
    before a missing crop ends where it would without either."""
    entry = make_entry(tmp_path, {"a": 5000, "b": 300}, width=3, dtype="float32")
    random = np.random.default_rng(0)
    pairs = [("a", t) for t in range(1, 5001) if t % 7 and t % 64 < 40] + [("b", t) for t in range(300, 0, -1)]
    pairs += (
        [("a", t) for t in range(1, 5001, 100)]
        + [("b", 5)] * 10
        + [("a", int(t)) for t in random.integers(1, 5001, 300)]
    )
    pairs += [("a", t) for start in range(1, 4000, 50) for t in (start, start, start + 2, start + 3)]
    matrix = FeatureMatrix(entry, "embeddings", labels_of(pairs), memory=0)
    expected = np.array([(100 if name == "b" else 0) + frame - 1 for name, frame in pairs], np.float32)
    np.testing.assert_array_equal(matrix.gather(matrix.rows)[:, 0], expected)
    for rows, values in matrix.batches(100, 0, 0):
        np.testing.assert_array_equal(values[:, 0], expected[rows])


def test_memory_does_not_grow_with_the_rows(tmp_path):
    entry = make_entry(tmp_path, {"a": 40_000}, width=1024)
    labels = labels_of([("a", frame) for frame in range(1, 40_001)])
    allowed = 40_000 * 1024 * 2 // 4
    matrix = FeatureMatrix(entry, "embeddings", labels, allowed)
    tracemalloc.start()
    for _ in matrix.batches(256, 0, 0):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < allowed


def test_many_sequences_are_read_with_few_files_open(tmp_path):
    names = {f"v{i:03d}": 3 for i in range(600)}
    make_entry(tmp_path, names)
    work = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))\n"
        "from tests.features.test_matrix import count_of_values\n"
        f"print(count_of_values({str(tmp_path)!r}))"
    )
    done = subprocess.run([sys.executable, "-c", work], cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert done.stdout.split() == ["1800"], done.stderr


def count_of_values(root: str) -> int:
    """Different values in two passes over all frames of the entry under `root`, together."""
    entry = FeatureStore(Path(root)).entry("key")
    labels = labels_of([(name, frame) for name in entry.sequences for frame in (1, 2, 3)])
    matrix = FeatureMatrix(entry, "embeddings", labels, 0)
    return len(
        {
            (row, values[0].tobytes())
            for seed in range(2)
            for rows, batch in matrix.batches(64, seed, 0)
            for row, values in zip(rows.tolist(), batch[:, None])
        }
    )


@pytest.mark.parametrize(
    "spoil, words",
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-500]), r"read \(is truncated before row 4000\)"),
        (lambda path: path.write_bytes(b"nonsense"), "embeddings.npy cannot be read"),
        (lambda path: path.write_bytes(b""), "embeddings.npy cannot be read"),
        (lambda path: np.save(path, np.zeros(7, np.float16)), r"\(has shape \[7\] and type float16, expected"),
        (lambda path: np.save(path, np.zeros((4000, 6), np.float16)), r"shape \[4000, 6\].*, expected \[T, 5\]"),
        (lambda path: np.save(path, np.zeros((4000, 5))), "type float64, expected"),
        (lambda path: np.save(path, np.asfortranarray(np.zeros((4000, 5), np.float16))), "float16 in Fortran order"),
        (lambda path: path.unlink(), "embeddings.npy cannot be read"),
    ],
)
@pytest.mark.parametrize("memory", [0, 2**30])
def test_damaged_arrays_are_named_with_what_to_do(tmp_path, spoil, words, memory):
    entry = make_entry(tmp_path, {"a": 4000})
    spoil(entry.path / "a" / "embeddings.npy")
    matrix = FeatureMatrix(entry, "embeddings", labels_of([("a", frame) for frame in range(1, 4001)]), memory)
    with pytest.raises(FramelightError, match=words) as raised:
        list(matrix.batches(256, 0, 0))
    assert f"remove {entry.path} and run the command again" in str(raised.value)


def npz_as(path):
    with path.open("wb") as file:
        np.savez(file, np.arange(4))


def pipe_as(path):
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("spoil", [lambda path: path.write_bytes(b""), npz_as, pipe_as], ids=["empty", "npz", "pipe"])
@pytest.mark.parametrize("part", ["frames", "embeddings"])
def test_what_is_no_array_is_named(tmp_path, spoil, part):
    entry = make_entry(tmp_path, {"a": 4})
    spoil(entry.path / "a" / f"{part}.npy")
    with pytest.raises(FramelightError, match=f"{part}.npy cannot be read"):
        entry.frames("a") if part == "frames" else entry.read("a", part)
    if part == "embeddings":
        with pytest.raises(FramelightError, match="embeddings.npy cannot be read"):
            entry.open("a", part)


def test_float16_to_float32_is_exact():
    halves = np.arange(2**16, dtype=np.uint16).view(np.float16)[:, None]
    with np.errstate(invalid="ignore"):
        expected = halves.astype(np.float32)
    values = to_float32([halves])
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, expected)


def test_whole_sequences_for_prediction(entry):
    blocks = list(iter_sequence(entry, "embeddings", "a", 4))
    assert [len(values) for values in blocks] == [4, 4, 2]
    np.testing.assert_array_equal(entry.frames("a"), np.arange(1, 20, 2))
    np.testing.assert_array_equal(np.concatenate(blocks)[:, 0], np.arange(10))
    assert list(iter_sequence(entry, "embeddings", "c")) == []
    np.testing.assert_array_equal(
        next(iter_sequence(entry, "scores", "b")), [[-100] * 2, [-101] * 2, [-102] * 2, [-103] * 2]
    )


def test_noise_depends_on_the_frame_only(tmp_path, labels):
    one = FeatureMatrix(make_entry(tmp_path / "1", {"a": 10, "b": 4}, step=2), "noise", labels)
    other = FeatureMatrix(make_entry(tmp_path / "2", {"a": 10, "b": 4}, width=9, step=2), "noise", labels)
    rows = np.array([5, 0, 1])
    np.testing.assert_array_equal(one.gather(rows), other.gather(rows))
    np.testing.assert_array_equal(one.gather(rows)[0], one.gather(rows)[2])
    frames, values = one.entry.frames("a"), next(iter_sequence(one.entry, "noise", "a"))
    np.testing.assert_array_equal(values[frames == 3][0], one.gather(np.array([1]))[0])


def test_noise_is_standard_normal(tmp_path):
    entry = make_entry(tmp_path, {"a": 4000, "b": 4000})
    values = np.concatenate([np.concatenate(list(iter_sequence(entry, "noise", name))) for name in "ab"])
    assert values.shape == (8000, 64)
    assert abs(values.mean()) < 0.01 and abs(values.std() - 1) < 0.01
    correlations = np.corrcoef(np.concatenate([values[:4000], values[4000:]], axis=1).T) - np.eye(128)
    assert np.abs(correlations).max() < 0.09
