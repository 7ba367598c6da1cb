import torch
from torch import nn

from harness.training.ema import ExponentialMovingAverage
from harness.training.fit import Selection
from harness.training.trainer import fit
from tests.helpers.small_fits import ALL, BY_ACCURACY, Network, batches, fitted, model


def test_averages_equal_manual_computation():
    """Decays (1 + 1) / (10 + 1) and (1 + 2) / (10 + 2) of the first two updates, then the one asked for."""
    module = nn.BatchNorm1d(1)
    average, expected = ExponentialMovingAverage(module, 0.3), 0.0
    for update, decay in enumerate((2 / 11, 3 / 12, 0.3, 0.3), 1):
        with torch.no_grad():
            module.running_mean.fill_(10.0 * update)
            module.num_batches_tracked += 1
        average.update(module)
        expected = decay * expected + (1 - decay) * 10.0 * update
        assert abs(average.values["running_mean"].item() - expected) < 1e-5
        assert average.values["num_batches_tracked"] == update and average.values["weight"] == 1


def test_apply_and_restore_keep_the_weights():
    network = Network().to(torch.bfloat16)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    average = ExponentialMovingAverage(network, 0.9)
    assert average.values["classifier.weight"].dtype == torch.float32
    with torch.no_grad():
        average.values["classifier.weight"].fill_(1.0)
    average.apply(network)
    assert (network.classifier.weight == 1).all()
    average.restore(network)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_averages_are_validated_and_kept():
    """The saved weights give the reported value and differ from the current weights."""
    made = model(average=0.9, dropout=0.0, selection=Selection(BY_ACCURACY.batches, BY_ACCURACY.score, "last"))
    kept = fit(made, batches)
    learned = {name: value.clone() for name, value in made.state_dict().items()}
    for name in ("backbone.network.classifier.weight", "backbone.network.body.1.running_mean"):
        assert not torch.allclose(kept.state[name], learned[name], atol=1e-4)
    made.load_state_dict(kept.state)
    made.eval()
    with torch.no_grad():
        logits = torch.cat([made(inputs) for inputs in BY_ACCURACY.batches(ALL)])
    assert BY_ACCURACY.score(logits.numpy()) == kept.history[-1]["value"]


def test_tiny_decay_equals_the_weights():
    last, plain = (fitted(average=average, selection=None, dropout=0.0) for average in (1e-9, 0.0))
    assert all(
        torch.allclose(value.float(), plain.state[name].float(), atol=1e-6) for name, value in last.state.items()
    )
