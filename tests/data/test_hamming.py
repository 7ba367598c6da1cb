"""Near pairs of hashes equal those of a brute-force comparison."""

import numpy as np
import pytest

from harness.data import hamming
from harness.data.hamming import hamming_neighbors


def brute(first, second):
    return np.argwhere(np.bitwise_count(first[:, None] ^ second[None]) <= 2)


@pytest.mark.parametrize("chunk", [1 << 22, 7])
def test_pairs_equal_brute_force(monkeypatch, chunk):
    """Hashes of few bits, so that many are near; and copies of others with up to three bits turned."""
    monkeypatch.setattr(hamming, "CHUNK", chunk)
    random = np.random.default_rng(0)
    base = random.integers(0, np.iinfo(np.uint64).max, 150, dtype=np.uint64, endpoint=True)
    turned = base.copy()
    for _ in range(3):
        turned ^= np.where(
            random.random(150) < 0.6, np.uint64(1) << random.integers(0, 64, 150, dtype=np.uint64), 0
        ).astype(np.uint64)
    few = random.integers(0, 1 << 6, 40, dtype=np.uint64) << np.uint64(29)
    first, second = np.unique(np.concatenate([base, few])), np.unique(np.concatenate([turned, few[::2]]))
    expected = brute(first, second)
    assert 100 < len(expected) < first.size * second.size
    assert np.array_equal(hamming_neighbors(first, second), expected)


def test_pairs_with_flipped_bits_are_found():
    one, turns = np.array([0x0123456789ABCDEF], np.uint64), np.uint64(1) << np.arange(64, dtype=np.uint64)
    others = np.unique(one ^ turns[:, None] ^ turns[None])
    assert len(others) == 1 + 64 * 63 // 2
    assert len(hamming_neighbors(one, others)) == len(others)


def test_empty_input_has_no_pairs():
    none = np.zeros(0, np.uint64)
    assert hamming_neighbors(none, np.array([1], np.uint64)).shape == hamming_neighbors(none, none).shape == (0, 2)
