"""Effect of head settings on the losses."""

import math

import numpy as np
import pytest
import torch

from harness.metrics import tasks
from harness.training import losses
from tests.training.test_losses import MTL, batch

ZEROED = losses.LossConfig(invalid="zeroed")


def block(name, how, logits, targets, pairs):
    return losses.make_task_losses(MTL, targets, how).losses[name](logits[:, MTL.slices()[name]], *pairs[name])


def test_no_class_weights():
    logits, targets, pairs = batch()
    for name, weights in (("expr", torch.ones(8)), ("au", torch.ones(12, 2))):
        made = losses.make_task_losses(MTL, targets, losses.LossConfig(class_weights="none")).losses[name]
        assert torch.equal(made.weights, weights)
        assert not torch.equal(losses.make_task_losses(MTL, targets).losses[name].weights, weights)


def test_published_class_weights_leave_the_commonest_class_at_one():
    """Training rows of the third challenge's EXPR, and the weights that its notebook prints for them."""
    counts = (177_198, 16_573, 10_771, 9_080, 95_463, 78_751, 31_615, 165_866)
    labels = np.append(np.repeat(np.arange(8), counts), -1)
    published, ours = (
        losses.CrossEntropy.from_labels(labels, losses.LossConfig(class_weights=name)).weights.double()
        for name in ("published", "inverse")
    )
    assert [round(weight, 3) for weight in published.tolist()] == [1, 10.692, 16.451, 19.515, 1.856, 2.25, 5.605, 1.068]
    assert torch.allclose(published / ours, torch.full((8,), 8 * max(counts) / sum(counts), dtype=torch.float64))
    _, targets, _ = batch()
    units = [
        losses.make_task_losses(MTL, targets, losses.LossConfig(class_weights=name)).losses["au"].weights
        for name in ("published", "inverse")
    ]
    assert torch.equal(*units)


def test_squared_error_equals_the_formula():
    logits, targets, pairs = batch()
    keep, said = pairs["va"][1].numpy(), np.tanh(logits[:, MTL.slices()["va"]].detach().numpy())
    expected = np.square(said - targets["va"])[keep].mean()
    assert block("va", losses.LossConfig(va_loss="mse"), logits, targets, pairs).item() == pytest.approx(
        expected, rel=1e-5
    )


def test_label_smoothing_reaches_the_expressions():
    logits, targets, pairs = batch()
    smoothed = losses.CrossEntropy(losses.CrossEntropy.from_labels(targets["expr"]).weights.numpy(), 0.3)
    found = block("expr", losses.LossConfig(label_smoothing=0.3), logits, targets, pairs)
    assert found.item() == pytest.approx(smoothed(logits[:, MTL.slices()["expr"]], *pairs["expr"]).item())
    assert found.item() != pytest.approx(block("expr", losses.LossConfig(), logits, targets, pairs).item(), rel=1e-3)


def test_balanced_task_weights():
    """142,333 rows of the fourth challenge: VA 103,917, EXPR 90,645, AU 103,316 -> 1, 1.1464, 1.0058."""
    counts, rows = {"va": 103_917, "expr": 90_645, "au": 103_316}, 142_333
    targets = {
        "va": np.zeros((rows, 2), np.float32),
        "expr": np.zeros(rows, np.int64),
        "au": np.zeros((rows, 12), np.int8),
    }
    for name, count in counts.items():
        targets[name][count:] = -5 if name == "va" else -1
    weights = losses.make_task_losses(MTL, targets, losses.LossConfig(task_weights="balanced")).weights
    assert {name: round(weight, 4) for name, weight in weights.items()} == {"va": 1.0, "expr": 1.1464, "au": 1.0058}


def test_balanced_tasks_sum_with_their_weights():
    logits, targets, pairs = batch()
    made = losses.make_task_losses(MTL, targets, losses.LossConfig(task_weights="balanced"))
    parts = {name: block(name, losses.LossConfig(), logits, targets, pairs).item() for name in pairs}
    assert made(logits, pairs).item() == pytest.approx(sum(made.weights[n] * v for n, v in parts.items()), rel=1e-5)


def test_zeroed_rows_are_zero_in_outputs_and_targets():
    """Each loss computed from activated outputs and targets multiplied by the mask, as the published training did."""
    logits, targets, pairs = batch()
    outputs, slices = MTL.activate(logits.detach().numpy().astype(np.float64)), MTL.slices()
    mask = {name: valid.numpy()[:, None] for name, (_, valid) in pairs.items()}
    said = {name: outputs[:, slices[name]] * mask[name] for name in slices}

    value, truth = said["va"], np.where(mask["va"], targets["va"], 0)
    ccc = [
        2 * np.cov(v, t, bias=True)[0, 1] / (v.var() + t.var() + (v.mean() - t.mean()) ** 2)
        for v, t in zip(value.T, truth.T)
    ]
    assert block("va", ZEROED, logits, targets, pairs).item() == pytest.approx(1 - np.mean(ccc), abs=1e-5)

    weights, rows = losses.CrossEntropy.from_labels(targets["expr"]).weights.numpy(), np.arange(len(truth))
    label = np.where(mask["expr"][:, 0], targets["expr"], 0)
    probability = np.where(mask["expr"], said["expr"], 1 / 8)  # all zero, normalised
    expected = (weights[label] * -np.log(probability[rows, label])).mean()
    assert block("expr", ZEROED, logits, targets, pairs).item() == pytest.approx(expected, rel=1e-5)

    weights = tasks.action_unit_weights(targets["au"])
    truth = np.where(mask["au"], targets["au"], 0)
    entropy = -np.where(
        truth == 1, weights[:, 1] * np.log(said["au"].clip(1e-300)), weights[:, 0] * np.log(1 - said["au"])
    )
    assert block("au", ZEROED, logits, targets, pairs).item() == pytest.approx(entropy.mean(), rel=1e-5)

    squared = block("va", losses.LossConfig(invalid="zeroed", va_loss="mse"), logits, targets, pairs).item()
    assert squared == pytest.approx(np.square(said["va"] - np.where(mask["va"], targets["va"], 0)).mean(), rel=1e-5)


def test_zeroed_rows_have_no_gradient():
    logits, targets, pairs = batch()
    losses.make_task_losses(MTL, targets, ZEROED)(logits, pairs).backward()
    for name, columns in MTL.slices().items():
        gradient = logits.grad[:, columns].abs().sum(dim=1)
        assert (gradient[~pairs[name][1]] == 0).all() and (gradient[pairs[name][1]] > 0).all()


def test_zeroed_batch_without_label_is_finite_and_moves_nothing():
    logits, targets, pairs = batch()
    none = {name: (target, torch.zeros_like(valid)) for name, (target, valid) in pairs.items()}
    total = losses.make_task_losses(MTL, targets, ZEROED)(logits, none)
    total.backward()
    first = losses.CrossEntropy.from_labels(targets["expr"]).weights[0].item()
    assert total.item() == pytest.approx(first * math.log(8) + 1, rel=1e-5) and (logits.grad == 0).all()
