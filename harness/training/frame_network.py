"""A backbone and a head as one network."""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor, nn

from harness.utils.errors import unknown_name_error

FEATURES = ("embeddings", "scores", "embeddings+scores")


class FrameNetwork(nn.Module):
    """An optional backbone followed by a head.

    Parameters
    ----------
    head : nn.Module
        Maps features [B, D] to logits [B, C].
    backbone : nn.Module, optional
        Maps pixels [B, 3, S, S] to embeddings [B, E] and scores [B, K]. Without it the input is features [B, D].
    features : {"embeddings", "scores", "embeddings+scores"}
        Outputs of the backbone that the head receives, concatenated in this order.
    frozen : bool
        Keep the backbone in evaluation mode while training, so that the running statistics of batch norm
        stay the same.

    Raises
    ------
    InputError
        If the features are unknown.
    """

    def __init__(
        self, head: nn.Module, backbone: nn.Module | None = None, features: str = "embeddings", frozen: bool = False
    ) -> None:
        super().__init__()
        if features not in FEATURES:
            raise unknown_name_error("features", features, FEATURES)
        self.features, self.frozen = features, frozen
        self.backbone, self.head = backbone, head

    def forward(self, inputs: Tensor) -> Tensor:
        """Map pixels [B, 3, S, S], or features [B, D] without a backbone, to logits [B, C]."""
        if self.backbone is not None:
            parts = dict(zip(FEATURES, self.backbone(inputs)))
            inputs = torch.cat([parts[name] for name in self.features.split("+")], dim=1)
        return self.head(inputs)

    def train(self, mode: bool = True) -> Self:
        """Set the mode of all modules except a frozen backbone, which stays in evaluation mode."""
        super().train(mode)
        if mode and self.frozen:
            assert self.backbone is not None
            self.backbone.eval()
        return self
