import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score, roc_curve

from harness.training.backbones.verification import FALSE_ACCEPT_RATE, roc_auc, sample_rows, tar_at_far, verify


def people(seed, subjects=12, each=5, spread=0.6):
    random = np.random.default_rng(seed)
    subject = np.repeat(np.arange(subjects), each)
    return random.normal(size=(subjects, 16))[subject] + spread * random.normal(size=(len(subject), 16)), subject


def pairs(embeddings, subject):
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    rows, columns = np.triu_indices(len(unit), 1)
    return subject[rows] == subject[columns], (unit @ unit.T)[rows, columns]


@pytest.mark.parametrize("spread", [0.2, 1.0, 3.0])
def test_roc_and_nearest_neighbor_equal_scikit_learn(spread):
    embeddings, subject = people(1, spread=spread)
    found = verify(embeddings, subject)
    same, scores = pairs(embeddings, subject)
    assert found.auc == pytest.approx(roc_auc_score(same, scores), abs=1e-6)
    far, tar, _ = roc_curve(same, scores, drop_intermediate=False)
    assert found.tar == pytest.approx(tar[far <= FALSE_ACCEPT_RATE].max(), abs=1e-6)
    from sklearn.neighbors import KNeighborsClassifier

    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    right = [
        KNeighborsClassifier(1).fit(np.delete(unit, row, 0), np.delete(subject, row)).predict(unit[row : row + 1])
        == subject[row]
        for row in range(len(unit))
    ]
    assert found.nearest == pytest.approx(np.mean(right))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=2, max_size=60), st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_ties_equal_scikit_learn(drawn, far):
    positive, scores = np.array([d[0] for d in drawn]), np.array([d[1] for d in drawn], float)
    if positive.all() or not positive.any():
        return
    assert roc_auc(positive, scores) == pytest.approx(roc_auc_score(positive, scores))
    curve = roc_curve(positive, scores, drop_intermediate=False)
    assert tar_at_far(positive, scores, far) == pytest.approx(curve[1][curve[0] <= far + 1e-9].max())


def test_perfect_embeddings_verify_all():
    subject = np.repeat(np.arange(4), 3)
    found = verify(np.eye(4)[subject], subject)
    assert (found.auc, found.tar, found.nearest) == (1, 1, 1)


@pytest.mark.parametrize("subject", [[0, 0, 0], [0, 1, 2]])
def test_pairs_of_one_kind_raise(subject):
    with pytest.raises(ValueError, match="pairs of images of one person and pairs of two persons"):
        verify(np.random.default_rng(0).normal(size=(3, 4)), np.array(subject))


def test_sample_is_even_over_subjects_with_two_images_or_more():
    subject = np.array([0] * 20 + [1] * 3 + [2] + [3] * 5)
    rows = sample_rows(subject, 10, seed=0)
    assert np.bincount(subject[rows], minlength=4).tolist() == [4, 3, 0, 3]
    assert (rows == sample_rows(subject, 10, seed=0)).all() and len(set(rows)) == 10
    assert not (rows[:4] == sample_rows(subject, 10, seed=1)[:4]).all()
    assert len(sample_rows(subject, 100, seed=0)) == 28


def test_of_more_subjects_than_pairs_some_are_sampled_two_images_each():
    subject = np.repeat(np.arange(30), 3)
    rows = sample_rows(subject, 20, seed=0)
    counts = np.bincount(subject[rows], minlength=30)
    assert len(rows) == 20 and sorted(set(counts)) == [0, 2]
    assert set(subject[rows]) != set(subject[sample_rows(subject, 20, seed=1)])
