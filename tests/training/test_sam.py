"""Sharpness-aware minimization against manual computations and an explicit loop in plain torch."""

import copy

import pytest
import torch
from torch import nn

from harness.training.sam import SAM
from tests.helpers.small_fits import ALL, BATCH, Network, assert_near, assert_same, batches, fitted, model, pictures


class Bowl(nn.Module):
    """(3 w1^2 + 4 w2^2) / 2 at w = (1, 1): the gradient (3, 4) has norm 5."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor([1.0, 1.0], dtype=torch.float64))

    def forward(self):
        return (torch.tensor([3.0, 4.0]) * self.w.square()).sum() / 2


@pytest.mark.parametrize(
    "optimiser, settings, expected",
    [
        (torch.optim.SGD, {"lr": 0.1}, (1 - 0.1 * 3.9, 1 - 0.1 * 5.6)),
        (torch.optim.Adam, {"lr": 0.1, "eps": 1.0}, (1 - 0.1 * 3.9 / (3.9 + 1), 1 - 0.1 * 5.6 / (5.6 + 1))),
    ],
)
def test_first_step_equals_manual_computation(optimiser, settings, expected):
    """rho 0.5: perturbed by 0.5 * (3, 4) / 5 = (0.3, 0.4), where the gradient is (3 * 1.3, 4 * 1.4) = (3.9, 5.6).
    Adam's first step is g / (|g| + eps)."""
    bowl = Bowl()
    step, sharpness = optimiser(bowl.parameters(), **settings), SAM(bowl, 0.5)
    loss = sharpness.loss(bowl)
    assert loss.item() == pytest.approx((3 * 1.3**2 + 4 * 1.4**2) / 2)
    loss.backward()
    assert bowl.w.tolist() == pytest.approx([1.3, 1.4]) and bowl.w.grad.tolist() == pytest.approx([3.9, 5.6])
    sharpness.restore()
    assert bowl.w.tolist() == [1.0, 1.0]
    step.step()
    assert bowl.w.tolist() == pytest.approx(expected)


@pytest.mark.parametrize("at", [0.0, float("inf")])
def test_zero_gradient_perturbs_nothing(at):
    bowl = Bowl()
    with torch.no_grad():
        bowl.w.fill_(at)
    sharpness = SAM(bowl, 0.5)
    sharpness.loss(bowl).backward()
    assert (bowl.w == at).all()


def passes(network, seed=0, rho=0.1):
    """The losses of both passes, and the sharpness that is still to be restored."""
    images, label = pictures(BATCH)
    seen = []

    def objective():
        seen.append(nn.functional.cross_entropy(network.classifier(network.body(images)).float(), label))
        return seen[-1]

    torch.manual_seed(seed)
    sharpness = SAM(network, rho)
    sharpness.loss(objective).backward()
    return [loss.item() for loss in seen], sharpness


def test_weights_and_running_statistics_come_back_bit_for_bit():
    network = Network()
    weights = copy.deepcopy(dict(network.named_parameters()))
    once = copy.deepcopy(network)
    torch.manual_seed(0)
    once.body(pictures(BATCH)[0])
    _, sharpness = passes(network)
    assert not torch.equal(network.classifier.weight, weights["classifier.weight"])
    sharpness.restore()
    assert all(torch.equal(value, weights[name]) for name, value in network.named_parameters())
    for name, value in once.named_buffers():
        assert torch.equal(value, network.get_buffer(name)), name
    assert network.body[1].num_batches_tracked == 1


def test_both_passes_drop_the_same_units_and_draw_as_much_as_one():
    network = Network(norm=False, dropout=0.5)
    torch.manual_seed(3)
    network.body(pictures(BATCH)[0])
    after_one = torch.get_rng_state()
    (first, second), sharpness = passes(network, 3, rho=1e-9)
    assert torch.equal(torch.get_rng_state(), after_one)
    assert second == pytest.approx(first, abs=1e-6)
    sharpness.restore()
    assert passes(network, 4)[0][0] != pytest.approx(first, abs=1e-3)


@pytest.mark.training
def test_second_pass_sees_the_perturbed_weights_under_autocast():
    """Autocast keeps the bfloat16 copies that it made of weights in the first pass."""
    network = Network(norm=False, dropout=0.0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        (first, second), sharpness = passes(network, rho=0.5)
    images, label = pictures(BATCH)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        fresh = nn.functional.cross_entropy(network.classifier(network.body(images)).float(), label).item()
    assert second == fresh and second > first + 0.05


def test_loss_scale_prevents_float16_underflow():
    network, moved = nn.Linear(4, 1, bias=False), []
    before = network.weight.detach().clone()

    def objective():
        with torch.autocast("cpu", dtype=torch.float16):
            return network(torch.ones(1, 4)).float().sum() * 1e-9

    for scale in (1.0, 2.0**16):
        sharpness = SAM(network, 1.0)
        sharpness.loss(objective, lambda loss, scale=scale: loss * scale)
        moved.append((network.weight - before).norm().item())
        sharpness.restore()
    assert moved == pytest.approx([0, 1.0])


def by_hand(how, epochs, clip, size=BATCH, accumulate=1):
    """SAM's weights from a loop in plain torch, over `accumulate` batches for each step."""
    made = model(norm=True, dropout=0.0, **how)
    network, rho = made.backbone.network.train(), how["sharpness"]
    step = torch.optim.AdamW(network.parameters(), how["learning_rate"], weight_decay=0.0)
    for epoch in range(epochs):
        step.zero_grad()
        for index, (images, targets) in enumerate(batches(epoch, ALL, size)):
            before = copy.deepcopy(network.state_dict())
            kept = [None if p.grad is None else p.grad.clone() for p in network.parameters()]
            step.zero_grad()
            nn.functional.cross_entropy(network.classifier(network.body(images)), targets["class"][0]).backward()
            norm = torch.sqrt(sum(p.grad.square().sum() for p in network.parameters()))
            statistics = copy.deepcopy(dict(network.named_buffers()))
            with torch.no_grad():
                for p in network.parameters():
                    p += rho * p.grad / norm
            step.zero_grad()
            nn.functional.cross_entropy(network.classifier(network.body(images)), targets["class"][0]).backward()
            network.load_state_dict({**before, **statistics})
            for p, earlier in zip(network.parameters(), kept):
                p.grad = p.grad / accumulate + (0 if earlier is None else earlier)
            if (index + 1) % accumulate == 0:
                nn.utils.clip_grad_norm_(network.parameters(), clip)
                step.step()
                step.zero_grad()
    return {f"backbone.network.{name}": value for name, value in network.state_dict().items()}


@pytest.mark.training
@pytest.mark.parametrize("size, accumulate", [(BATCH, 1), (BATCH // 2, 2)])
def test_fit_equals_explicit_loop(size, accumulate):
    how = {"sharpness": 0.5, "learning_rate": 0.02, "schedule": "constant"}
    ours = fitted(
        {"accumulate_grad_batches": accumulate},
        draw=lambda epoch, part: batches(epoch, part, size),
        dropout=0.0,
        selection=None,
        epochs=2,
        clip=0.05,
        **how,
    )
    expected = by_hand(how, 2, 0.05, size, accumulate)
    assert ours.state.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.allclose(ours.state[name].float(), value.float(), atol=2e-5), name
    plain = fitted(dropout=0.0, selection=None, epochs=2, clip=0.05, learning_rate=0.02, schedule="constant")
    assert not torch.allclose(
        plain.state["backbone.network.classifier.weight"], ours.state["backbone.network.classifier.weight"], atol=1e-3
    )


def half():
    from pytorch_lightning.plugins import MixedPrecision

    return {"plugins": [MixedPrecision("16-mixed", "cpu")]}


@pytest.mark.training
@pytest.mark.parametrize("trainer, tolerance", [(lambda: {"precision": "bf16-mixed"}, 0.05), (half, 0.01)])
def test_half_precision_is_close_to_float32(trainer, tolerance):
    how = {"sharpness": 0.2, "clip": 1.0, "dropout": 0.0, "learning_rate": 2e-3}
    full, low = fitted(**how), fitted(trainer(), **how)
    assert_near(low, full, tolerance)
    assert low.state["backbone.network.classifier.weight"].dtype == torch.float32
    assert not torch.equal(
        low.state["backbone.network.classifier.weight"], full.state["backbone.network.classifier.weight"]
    )


@pytest.mark.training
def test_loss_too_small_for_half_precision_still_perturbs():
    how = {"weight": 1e-7, "norm": False, "dropout": 0.0, "selection": None, "learning_rate": 2e-3}
    low, full, plain = fitted(half(), sharpness=1.0, **how), fitted(sharpness=1.0, **how), fitted(**how)
    name = "backbone.network.classifier.weight"
    moved = (full.state[name] - plain.state[name]).norm()
    assert (low.state[name] - full.state[name]).norm() < 0.2 * moved


@pytest.mark.training
def test_reported_loss_is_unperturbed():
    """Nothing moves at a rate of almost nothing, so that the first epoch's loss is that without SAM."""
    still = {"learning_rate": 1e-12, "epochs": 1, "dropout": 0.0}
    assert fitted(**still, sharpness=5.0).history[0]["loss"] == pytest.approx(fitted(**still).history[0]["loss"])


def test_sam_is_reproducible():
    assert_same(fitted(sharpness=0.05), fitted(sharpness=0.05))
