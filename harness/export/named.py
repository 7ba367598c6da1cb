"""The exported module with its arrays under their names, for formats that keep names in the file."""

from __future__ import annotations

from torch import Tensor, nn

from harness.export.network import Network, torch_module


class Named(nn.Module):
    """uint8 [N, S, S, 3] crops -> what `Network.outputs` names, by name."""

    def __init__(self, network: Network, embedding: bool) -> None:
        super().__init__()
        self.whole = torch_module(network, embedding)
        self.names = network.outputs(embedding)
        self.eval()

    def forward(self, crops: Tensor) -> dict[str, Tensor]:
        return dict(zip(self.names, self.whole(crops)))
