"""Selected epoch and length of trainings."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from harness import HeadConfig
from harness.metrics import ccc, p_expr, tasks
from harness.training.heads.train import HeadTrainingSpec, train_head
from harness.training.heads.trained_head import predict
from harness.utils.errors import InputError
from tests.helpers.feature_arrays import ArrayMatrix, labels_of, problem
from tests.training.heads.test_train import EXPR, only, train

WILD = dict(epochs=8, learning_rate=1.0, schedule="constant")
"""So high a rate that nothing improves steadily."""


def outputs_on_selection(trained):
    features, targets = problem(600, seed=1)
    return predict(trained, features).astype(np.float64), targets


@pytest.mark.training
def test_keep_accuracy():
    trained = train(config=HeadConfig(keep="accuracy", **WILD))
    accuracies = [entry["criterion"] for entry in trained.history]
    outputs, targets = outputs_on_selection(trained)
    said = outputs.argmax(axis=1)
    assert trained.epoch == 1 + int(np.argmax(accuracies))
    assert (said == targets["expr"]).mean() == pytest.approx(max(accuracies), abs=1e-9)
    assert p_expr(targets["expr"], said) == pytest.approx(trained.value, abs=1e-9) != pytest.approx(max(accuracies))


def loss_of(task, logits, targets):
    """Sum of the unweighted losses of the task's outputs, in float64 and from logits, which do not saturate."""
    losses = []
    for name, columns in task.slices().items():
        block, truth = logits[:, columns].double(), torch.from_numpy(targets[name])
        if name == "expr":
            losses.append(functional.cross_entropy(block, truth).item())
        elif name == "au":
            losses.append(functional.binary_cross_entropy_with_logits(block, truth.double()).item())
        else:
            losses.append(1 - np.mean([ccc(t, v) for t, v in zip(targets[name].T, block.tanh().numpy().T)]))
    return sum(losses)


@pytest.mark.training
@pytest.mark.parametrize("name", tasks.TASKS)
def test_keep_loss(name):
    task, rate = tasks.get_task(name), {"learning_rate": 0.3}
    trained = train(task, HeadConfig("multitask", keep="loss", class_weights="none", **{**WILD, **rate}))
    gains = [entry["criterion"] for entry in trained.history]
    assert trained.epoch == 1 + int(np.argmax(gains)) and len(set(gains)) == 8
    features, targets = problem(600, seed=1)
    with torch.no_grad():
        logits = trained.module(torch.from_numpy(features))
    assert -max(gains) == pytest.approx(loss_of(task, logits, targets), rel=1e-5)


def test_pruning_always_gets_the_metric():
    told = []
    trained = train(config=HeadConfig(keep="loss", epochs=2), on_epoch=lambda *it: bool(told.append(it)))
    assert told == [(entry["epoch"], entry["value"]) for entry in trained.history]


def test_fixed_epochs_equal_the_start_of_the_training():
    config, seen = HeadConfig(epochs=6, learning_rate=1e-2), {}
    seen["whole"] = train(config=config)
    features, targets = problem()
    training = ArrayMatrix(features), labels_of(only(targets, EXPR))
    short = train_head(EXPR, HeadTrainingSpec(config, epochs=3), training, None, 0)
    assert short.epoch == 3 and [e["loss"] for e in short.history] == [e["loss"] for e in seen["whole"].history[:3]]
    stopped = train(config=config, on_epoch=lambda epoch, value: epoch == 3)
    last = train_head(EXPR, HeadTrainingSpec(HeadConfig(epochs=3, learning_rate=1e-2)), training, None, 0)
    assert [e["loss"] for e in stopped.history] == [e["loss"] for e in short.history]
    assert [e["loss"] for e in last.history] != [e["loss"] for e in short.history]  # its rate falls to 0 sooner


def test_fixed_epochs_keep_the_last_epoch():
    features, targets = problem()
    other, others = problem(600, seed=1)
    training = ArrayMatrix(features), labels_of(only(targets, EXPR))
    selection = ArrayMatrix(other), labels_of(only(others, EXPR))
    beside, alone = (
        train_head(EXPR, HeadTrainingSpec(HeadConfig(**WILD), epochs=5), training, rows, 0)
        for rows in (selection, None)
    )
    assert beside.epoch == alone.epoch == 5
    assert all(np.array_equal(value, alone.state[name]) for name, value in beside.state.items())


@pytest.mark.parametrize(
    "name, config, message",
    [
        (
            "va",
            HeadConfig(keep="accuracy"),
            "keep accuracy needs expressions, which va does not have; use keep best or loss",
        ),
        ("expr", HeadConfig("separate"), "task expr has only one output; use mlp"),
    ],
)
def test_unavailable_keep_raises(name, config, message):
    with pytest.raises(InputError, match=message):
        train(tasks.get_task(name), config)
