import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.metrics import tasks
from harness.training import losses
from tests.helpers.feature_arrays import problem

MTL = tasks.get_task("mtl")


def batch(count=64, seed=0):
    """Logits with gradients, and MTL targets of which about a third is missing, each block for itself."""
    _, targets = problem(count, seed=seed)
    random = np.random.default_rng(seed)
    missing = {name: random.random(count) < 0.3 for name in targets}
    targets["expr"][missing["expr"]] = -1
    targets["va"][missing["va"]] = -5
    targets["au"][missing["au"], 3] = -1
    logits = torch.tensor(random.standard_normal((count, 22)), dtype=torch.float32, requires_grad=True)
    valid = {name: torch.from_numpy(mask) for name, mask in MTL.valid(targets).items()}
    return logits, targets, {name: (torch.from_numpy(targets[name]), valid[name]) for name in targets}


@given(st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_missing_label_gives_exactly_no_gradient_and_a_present_one_gives_some(seed):
    logits, targets, pairs = batch(seed=seed)
    losses.make_task_losses(MTL, targets)(logits, pairs).backward()
    for name, columns in MTL.slices().items():
        gradient, valid = logits.grad[:, columns], pairs[name][1]
        assert (gradient[~valid] == 0).all()
        assert (gradient[valid] != 0).any(dim=1).all()


@pytest.mark.parametrize("name", ["expr", "va", "au"])
def test_block_with_missing_rows_has_the_loss_of_the_valid_rows_alone(name):
    logits, targets, pairs = batch()
    loss = losses.make_task_losses(MTL, targets).losses[name]
    block, (target, valid) = logits[:, MTL.slices()[name]], pairs[name]
    alone = loss(block[valid], target[valid], torch.ones(int(valid.sum()), dtype=torch.bool))
    assert loss(block, target, valid).item() == alone.item()


def test_mtl_is_the_sum_of_its_three_blocks():
    logits, targets, pairs = batch()
    both = losses.make_task_losses(MTL, targets)
    parts = sum(
        losses.make_task_losses(tasks.get_task(n), targets)(logits[:, MTL.slices()[n]], {n: pairs[n]})
        for n in ("va", "expr", "au")
    )
    assert both(logits, pairs).item() == pytest.approx(parts.item(), rel=1e-6)


def test_expression_weights_have_mean_one_over_the_fit_rows_and_follow_the_counts():
    labels = np.array([0] * 90 + [1] * 9 + [6] + [-1] * 50)
    weights = losses.CrossEntropy.from_labels(labels).weights.numpy()
    assert weights[labels[labels >= 0]].mean() == pytest.approx(1, rel=1e-6)
    assert weights[1] / weights[0] == pytest.approx(10)
    assert weights[6] / weights[0] == pytest.approx(90)
    assert (weights[[2, 3, 4, 5, 7]] == 0).all()


def test_cross_entropy_equals_the_formula():
    logits, targets, pairs = batch()
    loss = losses.CrossEntropy.from_labels(targets["expr"])
    block, (target, valid) = logits[:, MTL.slices()["expr"]].detach().double().numpy(), pairs["expr"]
    keep = valid.numpy()
    log = np.log(tasks.softmax(block))[np.arange(len(block)), targets["expr"]]
    expected = -(loss.weights.numpy()[targets["expr"]] * log)[keep].sum() / keep.sum()
    assert loss(torch.from_numpy(block).float(), target, valid).item() == pytest.approx(expected, rel=1e-5)


def test_binary_cross_entropy_equals_the_formula():
    logits, targets, pairs = batch()
    block, keep = logits[:, MTL.slices()["au"]].detach().double().numpy(), pairs["au"][1].numpy()
    weights, truth = tasks.action_unit_weights(targets["au"]), targets["au"]
    p = tasks.sigmoid(block)
    each = np.where(truth == 1, -weights[:, 1] * np.log(p), -weights[:, 0] * np.log1p(-p))
    loss = losses.BinaryCrossEntropy.from_labels(truth)(logits[:, MTL.slices()["au"]], *pairs["au"])
    assert loss.item() == pytest.approx(each[keep].mean(), rel=1e-5)


def test_ccc_loss_equals_the_closed_form_with_population_moments():
    random = np.random.default_rng(3)
    logits, target = random.standard_normal((50, 2)), random.uniform(-1, 1, (50, 2))
    prediction = np.tanh(logits)
    expected = []
    for p, t in zip(prediction.T, target.T):
        covariance = ((p - p.mean()) * (t - t.mean())).mean()
        expected.append(2 * covariance / (p.var() + t.var() + (p.mean() - t.mean()) ** 2))
    loss = losses.OneMinusCCC()(torch.from_numpy(logits), torch.from_numpy(target), torch.ones(50, dtype=torch.bool))
    assert loss.item() == pytest.approx(1 - np.mean(expected), abs=1e-6)


@pytest.mark.parametrize("left", [0, 1])
@pytest.mark.parametrize("name", ["expr", "va", "au"])
def test_batch_with_few_labels_has_finite_loss(name, left):
    logits, targets, pairs = batch()
    target, _ = pairs[name]
    valid = torch.zeros(len(target), dtype=torch.bool)
    valid[:left] = True
    target[0] = 1
    loss = losses.make_task_losses(MTL, targets).losses[name](logits[:, MTL.slices()[name]], target, valid)
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(logits.grad).all()
    assert left or (loss.item() == 0 and (logits.grad == 0).all())


@pytest.mark.parametrize("name", ["expr", "va", "au"])
def test_extreme_logits_stay_finite(name):
    _, targets, pairs = batch()
    block = torch.full((64, 22), 1e4)[:, MTL.slices()[name]].clone()
    block[:, 0] = -1e4
    block.requires_grad_(True)
    loss = losses.make_task_losses(MTL, targets).losses[name](block, *pairs[name])
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(block.grad).all()


def test_constant_targets_and_predictions_have_a_finite_gradient():
    logits = torch.zeros(10, 2, requires_grad=True)
    loss = losses.OneMinusCCC()(logits, torch.zeros(10, 2), torch.ones(10, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 1 and torch.isfinite(logits.grad).all()


def test_penalty_counts_weights_but_not_biases():
    head = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.fill_(2.0)
    assert losses.l2_penalty(head, 0.5).item() == 0.5 * 4 * (3 * 4 + 4 * 2)
    assert losses.l2_penalty(head, 0.0) == 0
