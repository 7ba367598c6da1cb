"""The VGG-16 face descriptor (Parkhi, Vedaldi, Zisserman 2015); its weights are supplied by the user."""

from __future__ import annotations

import torch
from torch import Tensor, nn

WIDTHS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))


class VGGFace(nn.Module):
    """Input float32 [N, 3, 224, 224], RGB 0..255 minus the mean; the embedding is fc7 after its ReLU, [N, 4096].

    The scores are fc8, the identity logits: 2622 in the published weights. They name no emotion. Parameters are
    called as in the `vgg_face_dag` layout: `conv1_1` to `conv5_3`, `fc6`, `fc7`, `fc8`.
    """

    num_features = 4096

    def __init__(self, classes: int = 2622) -> None:
        super().__init__()
        inputs = 3
        for block, (width, count) in enumerate(WIDTHS, start=1):
            for index in range(1, count + 1):
                setattr(self, f"conv{block}_{index}", nn.Conv2d(inputs, width, 3, padding=1))
                inputs = width
        self.fc6 = nn.Linear(512 * 7 * 7, self.num_features)
        self.fc7 = nn.Linear(self.num_features, self.num_features)
        self.fc8 = nn.Linear(self.num_features, classes)
        self.dropout = nn.Dropout(0.5)

    def forward_features(self, x: Tensor) -> Tensor:
        for block, (_, count) in enumerate(WIDTHS, start=1):
            for index in range(1, count + 1):
                x = torch.relu_(getattr(self, f"conv{block}_{index}")(x))
            x = nn.functional.max_pool2d(x, 2)
        return x

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        x = self.dropout(torch.relu_(self.fc6(x.flatten(1))))
        x = torch.relu_(self.fc7(x))
        return x if pre_logits else self.get_classifier()(x)

    def get_classifier(self) -> nn.Module:
        return nn.Sequential(self.dropout, self.fc8)

    def reset_classifier(self, num_classes: int) -> None:
        self.fc8 = nn.Linear(self.num_features, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.forward_head(self.forward_features(x))
