"""Rows of labels over stored features: who is there, in what order, and how much memory that takes."""

import itertools
import tracemalloc

import numpy as np
import pytest

from harness.errors import InputError
from harness.features import matrix as matrix_module
from harness.features.matrix import FeatureMatrix, sequence_blocks
from harness.features.store import FeatureStore
from tests.features.crops import labels_of


def make_entry(root, lengths, width=5, dtype="float16", step=1):
    """An entry written through the store's own door; embeddings[t, j] = 100 * sequence + t + j / 8."""
    store = FeatureStore(root)
    for number, (name, length) in enumerate(lengths.items()):
        base = 100 * number + np.arange(length)[:, None]
        store.write_sequence("key", name, {
            "embeddings": (base + np.arange(width) / 8).astype(dtype),
            "scores": -base.repeat(2, axis=1).astype(dtype),
            "frames": np.arange(1, length * step + 1, step, dtype=np.int32)}, [])
    return store.complete("key", sorted(lengths), {"backbone": {}, "data_digest": "d", "dtype": dtype,
                                                   "widths": {"embeddings": width, "scores": 2}})


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


def test_gather_gives_each_row_its_crop(entry, labels):
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


@pytest.mark.parametrize("cached", [True, False])
def test_batches_are_one_pass_and_a_function_of_seed_and_epoch(tmp_path, monkeypatch, cached):
    monkeypatch.setattr(matrix_module, "CACHED_BYTES", 2**30 if cached else 0)
    entry = make_entry(tmp_path, {"a": 3000, "b": 2000}, dtype="float32")
    labels = labels_of([(name, frame) for name in "ab" for frame in range(1, 2001)])
    matrix = FeatureMatrix(entry, "embeddings", labels)
    passes = {key: list(matrix.batches(300, *key)) for key in [(0, 0), (0, 1), (1, 0)]}
    for batches in passes.values():
        assert [len(rows) for rows, _ in batches] == [300] * 13 + [100]
        rows = np.concatenate([rows for rows, _ in batches])
        np.testing.assert_array_equal(np.sort(rows), matrix.rows)
        np.testing.assert_array_equal(np.concatenate([values for _, values in batches]), matrix.gather(rows))
    again = list(FeatureMatrix(entry, "embeddings", labels).batches(300, 0, 0))
    np.testing.assert_array_equal(again[5][0], passes[0, 0][5][0])
    for one, other in itertools.combinations(passes.values(), 2):
        assert not np.array_equal(one[0][0], other[0][0])
    first = passes[0, 0][0][0]
    assert np.ptp(first) > 2000 and np.abs(np.diff(first)).mean() > 500


def test_memory_does_not_grow_with_the_rows(tmp_path):
    entry = make_entry(tmp_path, {"a": 40_000}, width=1024)
    labels = labels_of([("a", frame) for frame in range(1, 40_001)])
    matrix = FeatureMatrix(entry, "embeddings", labels)
    assert len(matrix.rows) * matrix.width * 4 > matrix_module.CACHED_BYTES
    tracemalloc.start()
    for _ in matrix.batches(256, 0, 0):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 48 * 2**20


def test_whole_sequences_for_prediction(entry):
    blocks = list(sequence_blocks(entry, "embeddings", "a", 4))
    assert [len(values) for values in blocks] == [4, 4, 2]
    np.testing.assert_array_equal(entry.frames("a"), np.arange(1, 20, 2))
    np.testing.assert_array_equal(np.concatenate(blocks)[:, 0], np.arange(10))
    assert list(sequence_blocks(entry, "embeddings", "c")) == []
    np.testing.assert_array_equal(next(sequence_blocks(entry, "scores", "b")), [[-100] * 2, [-101] * 2, [-102] * 2,
                                                                                [-103] * 2])


def test_noise_knows_the_frame_and_nothing_else(tmp_path, labels):
    one = FeatureMatrix(make_entry(tmp_path / "1", {"a": 10, "b": 4}, step=2), "noise", labels)
    other = FeatureMatrix(make_entry(tmp_path / "2", {"a": 10, "b": 4}, width=9, step=2), "noise", labels)
    rows = np.array([5, 0, 1])
    np.testing.assert_array_equal(one.gather(rows), other.gather(rows))
    np.testing.assert_array_equal(one.gather(rows)[0], one.gather(rows)[2])
    frames, values = one.entry.frames("a"), next(sequence_blocks(one.entry, "noise", "a"))
    np.testing.assert_array_equal(values[frames == 3][0], one.gather(np.array([1]))[0])


def test_noise_is_standard_normal(tmp_path):
    entry = make_entry(tmp_path, {"a": 4000, "b": 4000})
    values = np.concatenate([np.concatenate(list(sequence_blocks(entry, "noise", name))) for name in "ab"])
    assert values.shape == (8000, 64)
    assert abs(values.mean()) < 0.01 and abs(values.std() - 1) < 0.01
    correlations = np.corrcoef(np.concatenate([values[:4000], values[4000:]], axis=1).T) - np.eye(128)
    assert np.abs(correlations).max() < 0.09
