"""What a network costs: parameters, multiply-accumulates of one crop, bytes of its weights."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from backbones.onnx_network import OnnxNetwork

COUNTED_LAYERS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)


@dataclass(frozen=True)
class Cost:
    """parameters: trainable or not; macs: of convolutions and linear layers for one crop; size_mb: 10^6 bytes.

    Of a network that ONNX Runtime runs, macs is None and the size is its file's.
    """

    parameters: int
    macs: int | None
    size_mb: float


def cost(network: nn.Module, input_size: int) -> Cost:
    """The cost of a network for one RGB crop of input_size x input_size.

    A layer used twice counts twice. Norms, activations, pooling and the products inside attention are left out, as
    the usual MAC figures of convolutional networks do. Works on the meta device too, where nothing is computed.
    """
    if isinstance(network, OnnxNetwork):
        return Cost(network.stored_parameters, None, network.size_mb)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    tensors = [*network.parameters(), *network.buffers()]
    size = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    return Cost(parameters, _count_macs(network, input_size), round(size / 1e6, 3))


def _count_macs(network: nn.Module, input_size: int) -> int:
    total = 0

    def add_layer_macs(layer: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        nonlocal total
        total += output.numel() * (layer.weight.numel() // layer.weight.shape[0])

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
