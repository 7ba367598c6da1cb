import math
from pathlib import Path

import numpy as np
import pytest
import torch

from harness import Expressions
from harness.data.stills import Stills
from harness.metrics import ccc
from harness.metrics.tasks import EXPRESSIONS
from harness.training.backbones.expression_targets import ExpressionTargets
from harness.training.backbones.expressions import class_weights
from harness.training.losses import OneMinusCCC

AFFECTNET_COUNTS = (24882, 3750, 3803, 6378, 134415, 74874, 25459, 14090)


def test_class_weights_are_the_published_ones_scaled_to_a_mean_of_one():
    labels = np.repeat(np.arange(8), AFFECTNET_COUNTS)
    weights = class_weights(np.append(labels, -1), 8, math.inf)
    assert weights / weights[4] == pytest.approx([5.402, 35.844, 35.344, 21.075, 1, 1.795, 5.280, 9.540], abs=1e-3)
    assert weights[labels].mean() == pytest.approx(1)
    limited = class_weights(labels, 8, 20.0)
    assert (limited / limited[4]).max() == pytest.approx(20) and (limited > 0).all()


def test_ccc_loss_of_linear_columns():
    random = np.random.default_rng(0)
    said, truth = random.normal(size=(2, 40, 2))
    loss = OneMinusCCC(linear=True)(torch.from_numpy(said), torch.from_numpy(truth), torch.ones(40, dtype=torch.bool))
    assert loss.item() == pytest.approx(sum((1 - ccc(truth[:, column], said[:, column])) / 2 for column in (0, 1)))


@pytest.mark.parametrize(
    "known, left_out",
    [
        (EXPRESSIONS, "Other"),
        (("Anger", "Contempt", "Disgust", "Fear", "Happiness", "Neutral", "Sadness", "Surprise"), "Contempt"),
    ],
)
def test_seven_classes_are_the_basic_ones_in_the_order_of_the_eight(known, left_out):
    stills = Stills(
        (Path("a.jpg"),), np.zeros(1, int), ("s",), np.zeros(1, int), np.zeros((1, 2), np.float32), classes=known
    )
    course = ExpressionTargets.from_stills(Expressions(classes=7, also=("va", "au")), stills)
    assert course.classes == tuple(name for name in known if name != left_out)
    assert course.columns == (*course.classes, "Valence", "Arousal")
    assert [known[old] for old in range(8) if course.number[old] >= 0] == list(course.classes)
    assert course.number[known.index(left_out)] == -1
