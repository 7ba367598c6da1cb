"""Fits with a backbone: input preparation on the device and arguments of the Trainer."""

import pytest
import torch

from harness.training import rank, trainer_options
from harness.training.fit import OptimizerConfig, Selection
from harness.training.trainer import fit
from harness.utils.errors import FramelightError, InputError
from tests.helpers.small_fits import BY_ACCURACY, ROWS, assert_same, batches, fitted, model


@pytest.mark.training
def test_fit_learns_and_reports_epochs():
    told = []
    selection = Selection(BY_ACCURACY.batches, BY_ACCURACY.score, on_epoch=lambda *it: bool(told.append(it)))
    done = fitted(selection=selection, epochs=6)
    assert told == [(entry["epoch"], entry["value"]) for entry in done.history]
    assert [sorted(entry) for entry in done.history] == [["epoch", "loss", "rate", "value"]] * 6
    assert done.history[-1]["loss"] < 0.6 * done.history[0]["loss"] and done.history[done.epoch - 1]["value"] > 0.5
    rates = [entry["rate"] for entry in done.history]
    assert rates == sorted(rates, reverse=True) and 0 < rates[-1] < 0.1 * rates[0]


def test_frozen_backbone_keeps_weights_and_statistics():
    made = model(frozen=True)
    before = {name: value.clone() for name, value in made.state_dict().items()}
    done = fit(made, batches)
    for name, value in before.items():
        assert torch.equal(value, done.state[name]) is ("classifier" not in name), name
    assert all(parameter.requires_grad for parameter in made.parameters())


class Brighter:
    """uint8 pictures; each training row gets a random brightness. `seen` is what the network was given."""

    def __init__(self) -> None:
        self.seen = []

    def train_transform(self, inputs, random):
        shift = torch.randn(len(inputs), 1, 1, 1, generator=random, device=inputs.device)
        self.seen.append(shift.flatten().tolist())
        return self.eval_transform(inputs) + shift

    def eval_transform(self, inputs):
        assert inputs.dtype == torch.uint8 and not torch.is_autocast_enabled("cpu") and not torch.is_grad_enabled()
        return (inputs.float() - 128) / 32


def bytes_of(images):
    return (images * 32 + 128).clamp(0, 255).to(torch.uint8)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "bf16-true"])
def test_inputs_are_prepared_with_batch_specific_randomness(precision):
    def draw(epoch, part):
        return ((bytes_of(images), targets) for images, targets in batches(epoch, part))

    selection = Selection(lambda part: map(bytes_of, BY_ACCURACY.batches(part)), BY_ACCURACY.score)
    first, again, other = ((Brighter(), seed) for seed in (0, 0, 1))
    runs = [
        fitted({"precision": precision}, draw=draw, inputs=inputs, seed=seed, selection=selection, sharpness=0.05)
        for inputs, seed in (first, again, other)
    ]
    seen = [inputs.seen for inputs, _ in (first, again, other)]
    assert len(seen[0]) == 3 * ROWS // 16 and len({tuple(shifts) for shifts in seen[0]}) == len(seen[0])
    assert seen[0] == seen[1] != seen[2]
    assert_same(runs[0], runs[1])


@pytest.mark.training
def test_accumulated_halves_of_batches_equal_whole_batches():
    how = {"norm": False, "dropout": 0.0, "selection": None, "warmup": 0.3}
    whole = fitted(**how)
    halves = fitted({"accumulate_grad_batches": 2}, draw=lambda epoch, part: batches(epoch, part, 8), **how)
    assert [entry["rate"] for entry in halves.history] == [entry["rate"] for entry in whole.history]
    assert all(torch.allclose(value, halves.state[name], atol=1e-5) for name, value in whole.state.items())


def test_dropout_seed_defaults_to_optimizer_seed():
    runs = [fitted(seed=seed) for seed in (0, 0, 1)]
    assert_same(runs[0], runs[1])
    assert runs[0].history != runs[2].history


def test_callers_random_state_and_switches_are_left_alone():
    made = model(sharpness=0.05, average=0.9)
    torch.manual_seed(11)
    torch.use_deterministic_algorithms(True, warn_only=True)
    before = torch.get_rng_state()
    try:
        fit(made, batches)
        assert torch.equal(before, torch.get_rng_state())
        assert torch.is_deterministic_algorithms_warn_only_enabled()
    finally:
        torch.use_deterministic_algorithms(False)


def test_fit_is_silent(capfd, caplog, recwarn):
    fitted({"precision": "bf16-mixed"}, sharpness=0.05, average=0.9, frozen=True)
    assert capfd.readouterr() == ("", "") and not caplog.records and not list(recwarn)


def test_outputs_that_are_not_finite_end_the_fit():
    with pytest.raises(FramelightError, match="not finite after epoch 1|the training loss became"):
        fitted(learning_rate=1e30, schedule="constant", norm=False)


@pytest.mark.parametrize(
    "lacking, words",
    [
        ({"accelerator": "mps", "devices": 3}, "cannot train on accelerator mps, devices 3: "),
        ({"precision": "16-mixed"}, "16-mixed needs a GPU; on the CPU choose bf16-mixed"),
    ],
)
def test_missing_hardware_raises(lacking, words):
    with pytest.raises(InputError, match=words):
        fitted(lacking)


def test_trainer_arguments():
    how = OptimizerConfig(2, 10, 0.1, clip=3.0)
    chosen = trainer_options.make_trainer_options(how, {"precision": "bf16-mixed", "accumulate_grad_batches": 4})
    assert (
        chosen["precision"],
        chosen["accumulate_grad_batches"],
        chosen["gradient_clip_val"],
        chosen["max_epochs"],
        chosen["deterministic"],
    ) == ("bf16-mixed", 4, 3.0, 2, True)
    assert rank.is_single_process({}) and rank.is_single_process({"devices": "1"})
    assert not any(
        rank.is_single_process(several)
        for several in ({"devices": 2}, {"devices": "auto"}, {"num_nodes": 2}, {"strategy": "ddp"})
    )


def test_rank_zero_is_unique(monkeypatch):
    several = {"devices": 2}
    assert rank.is_rank_zero(several)
    for name in ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID"):
        monkeypatch.setenv(name, "1")
        assert not rank.is_rank_zero(several) and rank.is_rank_zero({})
        monkeypatch.setenv(name, "0")
    assert rank.is_rank_zero(several)


def test_seeds_differ_by_epoch_process_and_batch():
    how = OptimizerConfig(2, 10, 0.1, seed=3)
    seeds = [
        how.derive_seed(epoch, process, batch) for epoch in range(3) for process in range(3) for batch in range(-1, 3)
    ]
    assert len(set(seeds)) == len(seeds)
