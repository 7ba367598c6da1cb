"""The fast loop over features takes the same steps as Lightning."""

import os
import signal

import numpy as np
import pytest
import torch
from torch import nn

from harness.training.fit import OptimizerConfig, Selection
from harness.training.lightning_module import FrameModel
from harness.training.losses import BlockLosses, CrossEntropy
from harness.training.trainer import fit
from tests.helpers.small_fits import assert_near, assert_same

ROWS, WIDTH, CLASSES = 100, 6, 3


def rows(seed=0):
    random = torch.Generator().manual_seed(seed)
    label = torch.randint(CLASSES, (ROWS,), generator=random)
    return torch.randn(ROWS, WIDTH, generator=random) + nn.functional.one_hot(label, WIDTH) * 2, label


def batches(epoch, part, size=16, told=lambda step: None, precision=torch.float32):
    features, label = rows()
    order = torch.randperm(ROWS, generator=torch.Generator().manual_seed(epoch))
    for step, chosen in enumerate(order.split(size)):
        told(step)
        yield features[chosen].to(precision), {"class": (label[chosen], torch.ones(len(chosen), dtype=torch.bool))}


def accuracy(logits):
    return float((logits.argmax(axis=1) == rows(1)[1].numpy()).mean())


def model(**how):
    torch.manual_seed(3)
    head = nn.Sequential(nn.Linear(WIDTH, 5), nn.ReLU(), nn.Dropout(0.2), nn.Linear(5, CLASSES))
    losses = BlockLosses({"class": CrossEntropy(np.ones(CLASSES))}, {"class": slice(0, CLASSES)})
    return FrameModel(
        head,
        losses,
        OptimizerConfig(4, ROWS, 0.05, l2=1e-3, **how),
        selection=Selection(lambda part: rows(1)[0].split(40), accuracy),
    )


@pytest.fixture
def at_once(monkeypatch):
    """Number of calls of the fast loop."""
    from harness.training import fast_loop

    made, steps = [], fast_loop.fast_loop
    monkeypatch.setattr(fast_loop, "fast_loop", lambda *given: (made.append(1), steps(*given)))
    return made


@pytest.mark.training
@pytest.mark.parametrize(
    "by_one, trainer",
    [({"clip": 1e9}, None), ({}, {"accumulate_grad_batches": 1, "precision": 32}), ({"sharpness": 1e-30}, None)],
)
def test_steps_equal_lightning(at_once, by_one, trainer):
    """A clip or a perturbation that changes no bit goes the way of one step at a time."""
    one = fit(model(), batches)
    assert len(at_once) == 4 and one.history[-1]["loss"] < 0.85 * one.history[0]["loss"]
    other = fit(model(**by_one), batches, trainer)
    assert len(at_once) == 4
    assert_same(one, other)


@pytest.mark.parametrize(
    "how, trainer",
    [
        ({"average": 0.5}, None),
        ({"clip": 0.01}, None),
        ({}, {"accumulate_grad_batches": 2}),
        ({}, {"precision": "bf16-mixed"}),
    ],
)
def test_other_options_are_supported(at_once, how, trainer):
    plain, asked = fit(model(), batches), fit(model(**how), batches, trainer)
    assert len(at_once) == 4
    assert any(not torch.equal(value, asked.state[name]) for name, value in plain.state.items())


@pytest.mark.training
def test_features_in_half_precision_are_learned_from_in_float32():
    half = fit(model(), lambda epoch, part: batches(epoch, part, precision=torch.float16))
    assert all(value.dtype == torch.float32 for value in half.state.values())
    assert_near(half, fit(model(), batches), 0.05)


def test_interrupted_fit_resumes_bitwise(tmp_path):
    whole, path = fit(model(), batches), tmp_path / "fit.ckpt"

    def broken(epoch, part):
        if epoch == 2:
            raise ZeroDivisionError
        return batches(epoch, part)

    with pytest.raises(ZeroDivisionError):
        fit(model(), broken, checkpoint=path)
    assert_same(whole, fit(model(), batches, checkpoint=path))


@pytest.mark.parametrize("sign, raised", [(signal.SIGTERM, SystemExit), (signal.SIGINT, KeyboardInterrupt)])
def test_signal_is_handled_within_an_epoch(sign, raised):
    seen = []

    def told(step):
        seen.append(step)
        if step == 2:
            os.kill(os.getpid(), sign)

    with pytest.raises(raised) as ended:
        fit(model(), lambda epoch, part: batches(epoch, part, told=told))
    assert seen == [0, 1, 2] and getattr(ended.value, "code", 143) == 143
