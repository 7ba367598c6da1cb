import os
import signal

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from harness import HeadConfig
from harness.metrics import tasks
from harness.training.heads.train import HeadTrainingSpec, predict, train_head
from harness.training.heads.trained_head import load
from harness.utils.errors import FramelightError, InputError
from tests.helpers.feature_arrays import ArrayMatrix, labels_of, problem

EXPR = tasks.get_task("expr")
SHORT = HeadConfig(epochs=3, learning_rate=1e-2)


def only(targets, task):
    return {name: targets[name] for name in task.slices()}


def train(task=EXPR, config=SHORT, seed=0, select=True, on_epoch=None, change=None, without=()):
    features, targets = problem()
    targets = only(targets, task)
    if change:
        change(features, targets)
    other, others = problem(600, seed=1)
    selection = (ArrayMatrix(other), labels_of(only(others, task))) if select else None
    training = ArrayMatrix(features, without), labels_of(targets)
    return train_head(task, HeadTrainingSpec(config, on_epoch), training, selection, seed)


def objective(config, weights, bias, features, labels):
    """Mean weighted cross entropy + l2 * sum of squares, in float64."""
    sample = tasks.expression_weights(labels)[labels]
    logits = features @ weights.T.astype(np.float64) + bias
    log = np.log(tasks.softmax(logits))[np.arange(len(labels)), labels]
    return -(sample / sample.mean() * log).mean() + config.l2 * (weights.astype(np.float64) ** 2).sum()


@pytest.mark.training
def test_logistic_regression_reaches_the_optimum_of_scikit_learn():
    features, targets = problem(3000, 30)
    features[:, 3] = features[:, 3] * 50 + 7
    labels, config = (
        targets["expr"],
        HeadConfig("logistic_regression", learning_rate=0.1, l2=1e-3, epochs=50, keep="last"),
    )
    training = ArrayMatrix(features), labels_of({"expr": labels})
    ours = train_head(EXPR, HeadTrainingSpec(config), training, None, seed=0)
    scaled = (features - features.mean(0, dtype=np.float64)) / features.std(0, dtype=np.float64)
    sample = tasks.expression_weights(labels)[labels]
    theirs = LogisticRegression(C=1 / (2 * config.l2 * len(labels)), tol=1e-9, max_iter=5000).fit(
        scaled, labels, sample_weight=sample / sample.mean()
    )
    best = objective(config, theirs.coef_, theirs.intercept_, scaled, labels)
    reached = objective(config, ours.state["layers.0.weight"], ours.state["layers.0.bias"], scaled, labels)
    assert best * (1 - 1e-6) <= reached < best * (1 + 1e-3)


@pytest.mark.training
@pytest.mark.parametrize("kind", ["logistic_regression", "mlp", "multitask"])
@pytest.mark.parametrize("name", tasks.TASKS)
def test_every_head_learns_every_task(name, kind):
    task = tasks.get_task(name)
    trained = train(task, HeadConfig(kind, epochs=6, learning_rate=1e-2))
    assert trained.task == name and trained.epoch >= 1 and len(trained.history) == 6
    assert trained.value == max(entry["value"] for entry in trained.history)
    floor = {"expr": 0.25, "va": 0.35, "au": 0.6, "mtl": 1.2}[name]  # halfway from constant outputs to a linear head's
    assert trained.value > floor
    outputs = predict(trained, problem(600, seed=1)[0])
    assert outputs.shape == (600, task.width) and outputs.dtype == np.float32
    for output in task.outputs:
        block = outputs[:, task.slices()[output.name]]
        low = -1 if output.name == "va" else 0
        assert (block >= low).all() and (block <= 1).all()


def test_same_seed_gives_the_same_bits_and_another_seed_does_not():
    first, again, other = train(seed=5), train(seed=5), train(seed=6)
    assert all(np.array_equal(value, again.state[name]) for name, value in first.state.items())
    assert first.history == again.history
    assert not np.array_equal(first.state["layers.0.weight"], other.state["layers.0.weight"])


def test_epochs_are_drawn_in_order():
    features, targets = problem(300)
    matrix = ArrayMatrix(features)
    training = matrix, labels_of({"expr": targets["expr"]})
    train_head(EXPR, HeadTrainingSpec(HeadConfig(epochs=4)), training, None, 0)
    assert matrix.epochs == [0, 1, 2, 3]


@pytest.mark.training
def test_kept_weights_are_those_of_the_best_epoch():
    """At so high a rate the selection value goes up and down; of several seeds one does not end at its best."""
    config = HeadConfig(epochs=8, learning_rate=1.0, schedule="constant")
    for seed in range(20):
        trained = train(config=config, seed=seed)
        values = [entry["value"] for entry in trained.history]
        if values[-1] < max(values):
            break
    assert trained.epoch == 1 + int(np.argmax(values)) < 8
    features, targets = problem(600, seed=1)
    from harness.metrics import p_expr

    assert p_expr(targets["expr"], predict(trained, features).argmax(axis=1)) == pytest.approx(max(values), abs=1e-9)


def test_keep_last_and_no_selection_keep_the_last_epoch():
    config = HeadConfig(epochs=8, learning_rate=0.3, schedule="constant", keep="last")
    assert train(config=config).epoch == 8
    alone = train(config=config, select=False)
    assert alone.epoch == 8 and alone.value is None and "value" not in alone.history[0]


def test_on_epoch_gets_values_and_can_stop():
    told = []

    def stop_at_two(epoch, value):
        told.append((epoch, value))
        return epoch == 2

    trained = train(config=HeadConfig(epochs=5), on_epoch=stop_at_two)
    assert trained.pruned and [epoch for epoch, _ in told] == [1, 2]
    assert told == [(entry["epoch"], entry["value"]) for entry in trained.history]
    assert not train(on_epoch=lambda epoch, value: False).pruned


@pytest.mark.training
def test_rows_without_crop_are_not_learned_from():
    spoiled = tuple(range(0, 1500, 3))

    def spoil(features, targets):
        features[list(spoiled)] = np.nan
        targets["expr"][list(spoiled)] = 3

    trained = train(change=spoil, without=spoiled)
    assert trained.value > 0.4 and all(np.isfinite(v).all() for v in trained.state.values())


@pytest.mark.training
def test_scale_of_a_column_does_not_matter_when_inputs_are_standardized():
    def blow_up(features, targets):
        features[:, 5] = 1e4 * features[:, 5] - 3e5

    plain, scaled = train(), train(change=blow_up)
    assert plain.history[-1]["loss"] == pytest.approx(scaled.history[-1]["loss"], rel=1e-3)


@pytest.mark.training
def test_constant_column_is_harmless():
    def flatten(features, targets):
        features[:, 2] = 0.1

    trained = train(change=flatten)
    assert trained.state["standardise.scale"][2] == 0 and trained.value > 0.4


@pytest.mark.training
def test_l2_shrinks_weights():
    free, held = train(), train(config=HeadConfig(epochs=3, learning_rate=1e-2, l2=0.1))
    assert np.square(held.state["layers.2.weight"]).sum() < 0.5 * np.square(free.state["layers.2.weight"]).sum()


def test_features_that_are_not_finite_are_named():
    def break_one(features, targets):
        features[700, 3] = np.nan

    with pytest.raises(FramelightError, match=r"not finite in at least 1 rows, first in video4 frame 701"):
        train(change=break_one)


@pytest.mark.training
def test_diverging_loss_raises():
    with pytest.raises(FramelightError, match="lower the learning rate|learning rate is too high"):
        train(tasks.get_task("au"), HeadConfig(learning_rate=1e30, schedule="constant", epochs=5))


def test_one_class_only_and_no_label_at_all_raise():
    with pytest.raises(InputError, match="all training rows have the expression Happiness"):
        train(change=lambda f, t: t["expr"].__setitem__(slice(None), 4))
    with pytest.raises(InputError, match="none of the 1500 annotated rows has both a crop and a expr label"):
        train(change=lambda f, t: t["expr"].__setitem__(slice(None), -1))


@pytest.mark.training
def test_blockwise_prediction_equals_prediction_at_once():
    trained, features = train(), problem(600, seed=1)[0]
    parts = [predict(trained, features[:100]), predict(trained, features[100:])]
    assert np.allclose(np.concatenate(parts), predict(trained, features), atol=1e-6)
    assert predict(trained, features[:0]).shape == (0, 8)
    with pytest.raises(InputError, match=r"features \[N, 24\], not \[600, 20\]"):
        predict(trained, features[:, :20])
    features[3] = np.inf
    with pytest.raises(FramelightError, match="1 of 600 rows"):
        predict(trained, features)


def test_saved_head_comes_back_bit_for_bit(tmp_path):
    trained, features = train(tasks.get_task("mtl"), HeadConfig("multitask", epochs=2)), problem(50)[0]
    trained.save(tmp_path)
    back = load(tmp_path)
    assert np.array_equal(predict(back, features), predict(trained, features))
    assert (back.config, back.epoch, back.history, back.value) == (
        trained.config,
        trained.epoch,
        trained.history,
        trained.value,
    )
    assert sorted(p.name for p in tmp_path.iterdir()) == ["head.json", "head.safetensors"]


def test_damaged_and_missing_heads_raise(tmp_path):
    with pytest.raises(InputError, match="no trained head in"):
        load(tmp_path)
    train(config=HeadConfig(epochs=1)).save(tmp_path)
    whole = (tmp_path / "head.safetensors").read_bytes()
    (tmp_path / "head.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FramelightError, match="damaged"):
        load(tmp_path)
    (tmp_path / "head.safetensors").write_bytes(whole)
    (tmp_path / "head.json").write_text((tmp_path / "head.json").read_text().replace('"in_width": 24', '"in_width": 9'))
    with pytest.raises(FramelightError, match="damaged"):
        load(tmp_path)


def test_training_is_silent(capfd, caplog, recwarn):
    train()
    assert capfd.readouterr() == ("", "") and not caplog.records and not list(recwarn)


def test_torch_switches_and_random_state_are_left_as_they_were():
    import torch

    torch.manual_seed(3)
    before, deterministic = torch.get_rng_state(), torch.are_deterministic_algorithms_enabled()
    train()
    assert torch.equal(before, torch.get_rng_state()) and torch.are_deterministic_algorithms_enabled() == deterministic


def test_interrupts_are_propagated():
    with pytest.raises(KeyboardInterrupt):
        train(on_epoch=lambda epoch, value: os.kill(os.getpid(), signal.SIGINT))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_termination_has_its_exit_code():
    with pytest.raises(SystemExit) as ended:
        train(on_epoch=lambda epoch, value: os.kill(os.getpid(), signal.SIGTERM))
    assert ended.value.code == 143
