"""Cost of a network: parameters, multiply-accumulates per crop, size of its weights."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from backbones.onnx_network import OnnxNetwork

COUNTED_LAYERS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)


@dataclass(frozen=True)
class Cost:
    """Cost of a network.

    Attributes
    ----------
    parameters : int
        Number of parameters, trainable or not.
    macs : int or None
        Multiply-accumulates of convolutions and linear layers for one crop; None for an `OnnxNetwork` in which they
        could not be counted.
    size_mb : float
        Size of parameters and buffers, or of the file of an `OnnxNetwork`, in units of 10^6 bytes.
    """

    parameters: int
    macs: int | None
    size_mb: float


def cost(network: nn.Module, input_size: int) -> Cost:
    """Compute the cost of a network for one RGB crop.

    A layer that is used twice is counted twice. Normalization, activations, pooling and the matrix products inside
    attention are not counted, as is usual for the MAC counts of convolutional networks. Networks on the meta device
    are supported.

    Parameters
    ----------
    network : nn.Module
        A network whose `forward` takes float32 [N, 3, S, S].
    input_size : int
        S, in pixels.

    Returns
    -------
    Cost
        Parameters, multiply-accumulates and size.

    Examples
    --------
    >>> from torch import nn
    >>> from backbones import cost
    >>> cost(nn.Conv2d(3, 8, 3, padding=1), input_size=10)
    Cost(parameters=224, macs=21600, size_mb=0.001)
    """
    if isinstance(network, OnnxNetwork):
        return Cost(network.stored_parameters, network.macs, network.size_mb)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    tensors = [*network.parameters(), *network.buffers()]
    size = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    return Cost(parameters, _count_macs(network, input_size), round(size / 1e6, 3))


def _count_macs(network: nn.Module, input_size: int) -> int:
    total = 0

    def add_layer_macs(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        weight = layer.weight
        assert isinstance(weight, Tensor)
        total += output.numel() * (weight.numel() // weight.shape[0])

    hooks = [
        layer.register_forward_hook(add_layer_macs) for layer in network.modules() if isinstance(layer, COUNTED_LAYERS)
    ]
    weight = next(network.parameters())
    training = network.training
    network.eval()
    try:
        with torch.inference_mode():
            network(torch.zeros(1, 3, input_size, input_size, device=weight.device, dtype=weight.dtype))
    finally:
        network.train(training)
        for hook in hooks:
            hook.remove()
    return total
