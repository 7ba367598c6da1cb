"""The VGG-16 face descriptor (Parkhi, Vedaldi, Zisserman 2015); the user supplies the weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn

WIDTHS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))


class VGGFace(nn.Module):
    """VGG-16 for RGB crops of 224 x 224 pixels with values from 0 to 255 minus the mean.

    The embedding [N, 4096] is fc7 after its ReLU. The scores are the outputs of fc8, logits of identities rather than
    emotions. Parameters are named as in the `vgg_face_dag` layout: `conv1_1` to `conv5_3`, `fc6`, `fc7`, `fc8`.

    Parameters
    ----------
    classes : int
        Columns of the classifier; 2622 in the published weights.
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
        """Map crops float32 [N, 3, 224, 224] to the last feature map [N, 512, 7, 7]."""
        for block, (_, count) in enumerate(WIDTHS, start=1):
            for index in range(1, count + 1):
                x = torch.relu_(getattr(self, f"conv{block}_{index}")(x))
            x = nn.functional.max_pool2d(x, 2)
        return x

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Map the last feature map to logits [N, classes], or to the embedding [N, 4096] if `pre_logits`."""
        x = self.dropout(torch.relu_(self.fc6(x.flatten(1))))
        x = torch.relu_(self.fc7(x))
        return x if pre_logits else self.get_classifier()(x)

    def get_classifier(self) -> nn.Module:
        """Return the classifier with its dropout."""
        return nn.Sequential(self.dropout, self.fc8)

    def reset_classifier(self, num_classes: int) -> None:
        """Replace the classifier by a randomly initialized one."""
        self.fc8 = nn.Linear(self.num_features, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map crops float32 [N, 3, 224, 224] to logits [N, classes]."""
        return self.forward_head(self.forward_features(x))
