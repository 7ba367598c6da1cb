"""Heads trained together equal heads trained separately."""

import dataclasses

import numpy as np
import pytest

from harness import HeadConfig
from harness.metrics import tasks
from harness.training.heads import batched, train_batched
from harness.training.heads.train import HeadTrainingSpec, predict, train_head
from harness.training.heads.train_batched import train_heads
from harness.training.heads.trained_head import load
from harness.utils.errors import FramelightError, InputError
from tests.helpers.feature_arrays import ArrayMatrix, labels_of, problem

OWN = (
    dict(l2=0.0, learning_rate=1e-2, epochs=3, schedule="cosine", keep="best"),
    dict(l2=1e-2, learning_rate=3e-3, epochs=4, schedule="constant", keep="loss"),
    dict(l2=1e-3, learning_rate=1e-2, epochs=1, schedule="cosine", keep="last"),
    dict(l2=1e-4, learning_rate=3e-2, epochs=4, schedule="constant", keep="best"),
)
"""Settings that may differ between the heads of a group."""
PUBLISHED = dict(
    class_weights="published",
    standardise=False,
    label_smoothing=0.1,
    va_loss="mse",
    task_weights="balanced",
    invalid="zeroed",
)


def data(task, count=600, seed=0):
    """Rows of which every third has no label of the first output, where there are several."""
    features, targets = problem(count, seed=seed)
    targets = {name: targets[name] for name in task.slices()}
    if len(targets) > 1:
        targets["expr"] = np.where(np.arange(count) % 3, targets["expr"], -1)
    return ArrayMatrix(features), labels_of(targets)


def rows(task, select=True):
    return data(task), data(task, 300, 1) if select else None


def configs(*own, **shared):
    return [HeadConfig(**{**shared, **one}) for one in own]


def require_equal(ours, alone, features):
    """Within 1e-5; to the last bit where there is a hidden layer."""
    within = 0 if ours.config.hidden else 1e-5
    assert set(ours.state) == set(alone.state) and ours.config == alone.config and ours.parameters == alone.parameters
    for name, value in alone.state.items():
        assert ours.state[name].dtype == value.dtype
        np.testing.assert_allclose(ours.state[name], value, rtol=0, atol=within)
    assert (ours.epoch, ours.pruned, len(ours.history)) == (alone.epoch, alone.pruned, len(alone.history))
    for one, other in zip(ours.history, alone.history):
        assert one == pytest.approx(other, rel=0, abs=within)
    np.testing.assert_allclose(predict(ours, features), predict(alone, features), rtol=0, atol=within)


@pytest.mark.training
@pytest.mark.parametrize(
    "shared",
    [
        dict(kind="logistic_regression"),
        dict(kind="mlp", hidden=20),
        dict(kind="multitask", hidden=0),
        dict(kind="multitask", hidden=12),
        dict(kind="multitask", hidden=12, **PUBLISHED),
        dict(kind="logistic_regression", **PUBLISHED),
    ],
    ids=lambda shared: "-".join(map(str, shared.values())),
)
@pytest.mark.parametrize("name", tasks.TASKS)
def test_batched_heads_equal_single_heads(name, shared):
    task = tasks.get_task(name)
    given = rows(task)
    own = [*OWN, {**OWN[3], "keep": "accuracy"}] if "expr" in task.slices() else OWN
    wanted = configs(*own, **shared)
    found = train_heads(task, [HeadTrainingSpec(config) for config in wanted], *given, seed=3)
    for config, ours in zip(wanted, found):
        require_equal(ours, train_head(task, HeadTrainingSpec(config), *given, seed=3), given[1][0].features)


@pytest.mark.training
@pytest.mark.parametrize("name", tasks.TASKS)
def test_heads_with_hidden_layer_are_batched_on_gpu(monkeypatch, name):
    """The product of a GPU, on this machine; one epoch, as no unit is so near 0 then that rounding turns it."""
    task = tasks.get_task(name)
    given, features = data(task, 400), problem(300, seed=1)[0]
    wanted = [
        dataclasses.replace(config, epochs=epochs)
        for epochs in (1, 2)
        for config in configs(*OWN, kind="multitask", hidden=12, batch_size=100)
    ]
    alone = train_heads(task, [HeadTrainingSpec(config) for config in wanted], given, None, 3)
    monkeypatch.setattr(train_batched, "max_ensemble_size", lambda head, device: 100)
    stacked = train_heads(task, [HeadTrainingSpec(config) for config in wanted], given, None, 3)
    for ours, expected in zip(stacked, alone):
        assert [ours.epoch, ours.config] == [expected.epoch, expected.config]
        np.testing.assert_allclose(predict(ours, features), predict(expected, features), rtol=0, atol=1e-4)


@pytest.mark.training
def test_several_batches_equal_single_heads(monkeypatch):
    monkeypatch.setattr(batched, "MAX_COLUMNS", 16)
    task = tasks.get_task("expr")
    given, wanted = rows(task), configs(*OWN, kind="logistic_regression")
    for config, ours in zip(wanted, train_heads(task, [HeadTrainingSpec(c) for c in wanted], *given, seed=0)):
        require_equal(ours, train_head(task, HeadTrainingSpec(config), *given, seed=0), given[1][0].features)


@pytest.mark.training
def test_without_selection_rows_the_last_epoch_is_kept():
    task = tasks.get_task("va")
    given, wanted = rows(task, select=False), configs(*OWN, kind="mlp", hidden=8)
    found = train_heads(task, [HeadTrainingSpec(config) for config in wanted], *given, seed=1)
    assert [head.epoch for head in found] == [one["epochs"] for one in OWN]
    for config, ours in zip(wanted, found):
        require_equal(ours, train_head(task, HeadTrainingSpec(config), *given, seed=1), given[0][0].features)


@pytest.mark.training
def test_heads_stop_independently():
    task = tasks.get_task("expr")
    given, wanted, told = rows(task), configs(*OWN, kind="logistic_regression"), {0: [], 1: [], 3: []}

    def stops(number, at):
        def on_epoch(epoch, value):
            told[number].append((epoch, value))
            return epoch == at

        return on_epoch

    asked = {0: stops(0, 2), 1: stops(1, 9), 3: stops(3, 1)}
    found = train_heads(
        task, [HeadTrainingSpec(config, asked.get(i)) for i, config in enumerate(wanted)], *given, seed=0
    )
    assert [head.pruned for head in found] == [True, False, False, True]
    assert [len(head.history) for head in found] == [2, 4, 1, 1]
    for number, values in told.items():
        assert values == [(entry["epoch"], entry["value"]) for entry in found[number].history]
    for ours, config, at in zip(found, wanted, (2, 9, 9, 1)):
        require_equal(
            ours,
            train_head(task, HeadTrainingSpec(config, lambda epoch, value, at=at: epoch == at), *given, 0),
            given[1][0].features,
        )


@pytest.mark.training
def test_given_number_of_epochs_is_trained_on_the_schedule_of_all():
    task = tasks.get_task("au")
    given, wanted = rows(task, select=False), configs(*OWN, kind="logistic_regression")
    found = train_heads(task, [HeadTrainingSpec(config, epochs=2) for config in wanted], *given, seed=1)
    assert [head.epoch for head in found] == [2, 2, 1, 2]
    for config, ours in zip(wanted, found):
        require_equal(ours, train_head(task, HeadTrainingSpec(config, epochs=2), *given, 1), given[0][0].features)


@pytest.mark.training
def test_diverging_head_is_dropped():
    task = tasks.get_task("va")
    given = rows(task)
    wild = HeadConfig("mlp", hidden=8, va_loss="mse", learning_rate=1e30, epochs=4)
    wanted = [wild, *configs(*OWN, kind="mlp", hidden=8, va_loss="mse")]
    with pytest.raises(FramelightError):
        train_head(task, HeadTrainingSpec(wild), *given, seed=0)
    found = train_heads(task, [HeadTrainingSpec(config) for config in wanted], *given, seed=0)
    assert found[0] is None
    for config, ours in zip(wanted[1:], found[1:]):
        require_equal(ours, train_head(task, HeadTrainingSpec(config), *given, seed=0), given[1][0].features)


def test_data_is_read_once_per_epoch():
    task = tasks.get_task("expr")
    matrix, labels = data(task)
    train_heads(task, [HeadTrainingSpec(config) for config in configs(*OWN, kind="mlp")], (matrix, labels), None, 0)
    assert matrix.epochs == [0, 1, 2, 3]


def test_same_arguments_give_the_same_bits_and_heads_can_be_saved(tmp_path):
    task = tasks.get_task("mtl")
    given, wanted = rows(task), [HeadTrainingSpec(c) for c in configs(*OWN, kind="multitask", hidden=8)]
    first, again = (train_heads(task, wanted, *given, seed=4) for _ in range(2))
    for one, other in zip(first, again):
        assert one.history == other.history
        assert all(np.array_equal(value, other.state[name]) for name, value in one.state.items())
    first[0].save(tmp_path)
    kept = predict(load(tmp_path), given[1][0].features)
    assert np.array_equal(kept, predict(first[0], given[1][0].features))


def test_incompatible_heads_raise():
    task = tasks.get_task("expr")
    given = rows(task)
    for other in (
        HeadConfig("mlp", hidden=64),
        HeadConfig("logistic_regression"),
        HeadConfig("mlp", batch_size=64),
        HeadConfig("mlp", class_weights="none"),
    ):
        with pytest.raises(InputError, match="differ in more than"):
            train_heads(task, [HeadTrainingSpec(HeadConfig("mlp")), HeadTrainingSpec(other)], *given, seed=0)
    with pytest.raises(InputError, match="keep accuracy"):
        train_heads(
            tasks.get_task("va"),
            [HeadTrainingSpec(HeadConfig("mlp", keep=keep)) for keep in ("best", "accuracy")],
            *rows(tasks.get_task("va")),
            seed=0,
        )


def test_features_that_are_not_finite_are_named():
    task = tasks.get_task("expr")
    matrix, labels = data(task)
    matrix.features[7, 3] = np.nan
    with pytest.raises(FramelightError, match="not finite in at least 1 rows, first in video0 frame 8"):
        train_heads(task, [HeadTrainingSpec(c) for c in configs(*OWN, kind="mlp")], (matrix, labels), None, 0)


def test_compatibility_covers_all_settings():
    from harness.training.heads.config import without_per_head_settings

    base = HeadConfig("mlp")
    assert without_per_head_settings(
        dataclasses.replace(base, l2=1.0, learning_rate=0.5, epochs=3, schedule="constant", keep="last")
    ) == without_per_head_settings(base)
    changed = dict(
        kind="multitask",
        hidden=7,
        batch_size=9,
        standardise=False,
        class_weights="none",
        label_smoothing=0.2,
        va_loss="mse",
        task_weights="balanced",
        invalid="zeroed",
    )
    own = {"l2", "learning_rate", "epochs", "schedule", "keep", "parts"}
    assert set(changed) | own == {f.name for f in dataclasses.fields(HeadConfig)}
    for name, value in changed.items():
        assert without_per_head_settings(dataclasses.replace(base, **{name: value})) != without_per_head_settings(base)
