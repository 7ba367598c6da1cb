"""Blockwise mean and standard deviation of columns."""

import numpy as np
import pytest

from harness.training.heads.standardization import feature_mean_std
from harness.training.heads.trained_head import BLOCK_ROWS
from harness.utils.errors import FramelightError
from tests.helpers.feature_arrays import ArrayMatrix, labels_of


def at_once(features):
    """Block by block, each added up by numpy at once, as kept heads were standardised."""
    count, mean, squares = 0, np.zeros(features.shape[1]), np.zeros(features.shape[1])
    for start in range(0, len(features), BLOCK_ROWS):
        block = features[start : start + BLOCK_ROWS].astype(np.float64)
        centre, size = block.mean(axis=0), len(block)
        squares += ((block - centre) ** 2).sum(axis=0) + (centre - mean) ** 2 * (count * size / (count + size))
        mean, count = mean + (centre - mean) * (size / (count + size)), count + size
    return mean, np.sqrt(squares / count)


@pytest.mark.parametrize(
    "rows, width", [(1, 7), (3, 5), (BLOCK_ROWS - 1, 33), (BLOCK_ROWS + 1, 3), (2 * BLOCK_ROWS + 700, 20)]
)
def test_blockwise_moments_are_bitwise_equal(rows, width):
    features = (np.random.default_rng(rows).standard_normal((rows, width)) * 30 + 7).astype(np.float32)
    for found, expected in zip(feature_mean_std(ArrayMatrix(features), None), at_once(features)):
        assert found.tobytes() == expected.tobytes()
    np.testing.assert_allclose(
        feature_mean_std(ArrayMatrix(features), None),
        [features.mean(0, dtype=np.float64), features.std(0, dtype=np.float64)],
        rtol=1e-9,
    )


@pytest.mark.parametrize("bad", [[np.nan], [np.inf], [-np.inf, np.inf]])
def test_first_row_that_is_not_finite_is_named(bad, recwarn):
    features = np.zeros((BLOCK_ROWS + 900, 4), np.float32)
    features[BLOCK_ROWS + 500 : BLOCK_ROWS + 500 + len(bad), 2] = bad
    labels = labels_of({"expr": np.zeros(len(features), np.int64)}, videos=2)
    place = f"{labels.sequences[labels.sequence[BLOCK_ROWS + 500]]} frame {BLOCK_ROWS + 501}"
    with pytest.raises(FramelightError, match=f"not finite in at least {len(bad)} rows, first in {place}; extract"):
        feature_mean_std(ArrayMatrix(features), labels)
    assert not list(recwarn)
