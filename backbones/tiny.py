"""Two light networks for small face crops (64 x 64 RGB), trainable on a laptop's CPU in minutes.

Both speak timm's protocol (`forward_features`, `forward_head`, `get_classifier`, `reset_classifier`), so that one
`Backbone` serves them all. The last map is folded by a depthwise convolution as large as itself rather than by an
average: crops are aligned, so where something is matters (as in MobileFaceNet, Chen et al. 2018, arXiv 1804.07573).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

EMBEDDING_WIDTH = 128


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, relu: bool = True) -> nn.Sequential:
    layers = [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*layers, nn.ReLU(inplace=True)) if relu else nn.Sequential(*layers)


class LocalContrast(nn.Module):
    """[N, 3, S, S] -> [N, 1, S, S]: grey, less its local mean, over its local deviation (Jarrett et al. 2009).

    Light, skin and ground go, edges of brows, lids and lips stay: few stills then teach an expression that carries
    over to people never seen. The floor, a share of the crop's own variance, keeps flat regions from becoming noise.
    """

    WINDOW, FLOOR = 9, 1e-3

    def forward(self, x: Tensor) -> Tensor:
        grey = x.mean(dim=1, keepdim=True)
        detail = grey - self._local_mean(grey)
        power = detail * detail
        floor = self.FLOOR * power.mean(dim=(1, 2, 3), keepdim=True) + 1e-4
        return detail / torch.sqrt(self._local_mean(power) + floor)

    def _local_mean(self, x: Tensor) -> Tensor:
        """Mean over WINDOW x WINDOW, one axis after the other; the border repeats."""
        reach = self.WINDOW // 2
        x = functional.pad(x, (reach, reach, reach, reach), mode="replicate")
        x = functional.avg_pool2d(x, (1, self.WINDOW), 1)
        return functional.avg_pool2d(x, (self.WINDOW, 1), 1)


class Residual(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut (He et al. 2016); the shortcut is projected where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(_conv(inputs, outputs, 3, stride), _conv(outputs, outputs, 3, relu=False))
        same = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same else _conv(inputs, outputs, 1, stride, relu=False)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu_(self.body(x) + self.shortcut(x))


class Separable(nn.Module):
    """A depthwise 3 x 3 and a pointwise convolution (Howard et al. 2017), with a shortcut where the shape stays."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(_conv(inputs, inputs, 3, stride, groups=inputs), _conv(inputs, outputs, 1))
        self.same = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) + x if self.same else self.body(x)


class TinyNetwork(nn.Module):
    """Local contrast, body, position-aware fold to an embedding of 128, linear classifier.

    Input float32 [N, 3, 64, 64]; `forward` gives logits [N, classes]; dropout acts on the classifier's input only.
    """

    def __init__(self, body: nn.Module, width: int, classes: int, dropout: float = 0.2) -> None:
        super().__init__()
        self.contrast = LocalContrast()
        self.body = body
        self.fold = nn.Sequential(
            nn.Conv2d(width, width, 4, groups=width, bias=False),
            nn.BatchNorm2d(width),
            nn.Conv2d(width, EMBEDDING_WIDTH, 1, bias=False),
            nn.BatchNorm2d(EMBEDDING_WIDTH),
        )
        self.dropout = nn.Dropout(dropout)
        self.num_features = EMBEDDING_WIDTH
        self.classifier: nn.Module = nn.Identity()
        self.reset_classifier(classes)

    def forward_features(self, x: Tensor) -> Tensor:
        return self.body(self.contrast(x))

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        embedding = self.fold(x).flatten(1)
        return embedding if pre_logits else self.get_classifier()(embedding)

    def get_classifier(self) -> nn.Module:
        bare = isinstance(self.classifier, nn.Identity)
        return self.classifier if bare else nn.Sequential(self.dropout, self.classifier)

    def reset_classifier(self, num_classes: int) -> None:
        """0 classes: no classifier, as in timm."""
        self.classifier = nn.Linear(EMBEDDING_WIDTH, num_classes) if num_classes else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.forward_head(self.forward_features(x))


def tiny_resnet(classes: int) -> TinyNetwork:
    """A plain residual network, the stronger of the two."""
    body = nn.Sequential(
        _conv(1, 16, 5, 2),
        Residual(16, 32, 2),
        Residual(32, 32, 1),
        Residual(32, 64, 2),
        Residual(64, 64, 1),
        Residual(64, 128, 2),
    )
    return TinyNetwork(body, 128, classes)


def tiny_mobilenet(classes: int) -> TinyNetwork:
    """A depthwise separable network, the cheaper of the two."""
    body = nn.Sequential(
        _conv(1, 24, 3, 2),
        Separable(24, 48, 2),
        Separable(48, 48, 1),
        Separable(48, 96, 2),
        Separable(96, 96, 1),
        Separable(96, 160, 2),
        Separable(160, 160, 1),
    )
    return TinyNetwork(body, 160, classes)
