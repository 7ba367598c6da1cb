"""Two small networks for face crops of 64 x 64 pixels that train on a laptop CPU in minutes.

Both have timm's interface (`forward_features`, `forward_head`, `get_classifier`, `reset_classifier`). Instead of
average pooling, they use a depthwise convolution as large as the last feature map: face crops are aligned, so
position matters (as in MobileFaceNet, Chen et al. 2018, arXiv 1804.07573).
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
    """Convert RGB crops to gray and apply local contrast normalization (Jarrett et al. 2009).

    Subtracts the local mean and divides by the local standard deviation. This reduces the effect of lighting and
    skin color and keeps the edges of brows, lids and lips, so that a few training images generalize to unseen people.
    So that noise in flat regions is not amplified, a floor is added to the local variance before the square root: 1e-4
    plus `FLOOR` times the mean squared difference from the local mean over the crop.
    """

    WINDOW, FLOOR = 9, 1e-3

    def forward(self, x: Tensor) -> Tensor:
        """Normalize crops."""
        gray = x.mean(dim=1, keepdim=True)
        detail = gray - self._local_mean(gray)
        power = detail * detail
        floor = self.FLOOR * power.mean(dim=(1, 2, 3), keepdim=True) + 1e-4
        return detail / torch.sqrt(self._local_mean(power) + floor)

    def _local_mean(self, x: Tensor) -> Tensor:
        """Average over WINDOW x WINDOW pixels with replicated borders, one axis after the other."""
        reach = self.WINDOW // 2
        x = functional.pad(x, (reach, reach, reach, reach), mode="replicate")
        x = functional.avg_pool2d(x, (1, self.WINDOW), 1)
        return functional.avg_pool2d(x, (self.WINDOW, 1), 1)


class Residual(nn.Module):
    """Residual block of two 3 x 3 convolutions (He et al. 2016).

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    stride : int
        Stride of the first convolution; the shortcut is a 1 x 1 convolution if the shape changes.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(_conv(inputs, outputs, 3, stride), _conv(outputs, outputs, 3, relu=False))
        same = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same else _conv(inputs, outputs, 1, stride, relu=False)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block."""
        return torch.relu_(self.body(x) + self.shortcut(x))


class Separable(nn.Module):
    """Depthwise 3 x 3 and pointwise convolution (Howard et al. 2017), residual if the shape does not change.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    stride : int
        Stride of the depthwise convolution.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(_conv(inputs, inputs, 3, stride, groups=inputs), _conv(inputs, outputs, 1))
        self.same = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block."""
        return self.body(x) + x if self.same else self.body(x)


class TinyNetwork(nn.Module):
    """Local contrast normalization, convolutional body, embedding of 128 values and linear classifier.

    Parameters
    ----------
    body : nn.Module
        Maps [N, 1, 64, 64] to [N, width, 4, 4].
    width : int
        Channels of the last feature map.
    classes : int
        Columns of the classifier; 0 for none.
    """

    def __init__(self, body: nn.Module, width: int, classes: int) -> None:
        super().__init__()
        self.contrast = LocalContrast()
        self.body = body
        self.fold = nn.Sequential(
            nn.Conv2d(width, width, 4, groups=width, bias=False),
            nn.BatchNorm2d(width),
            nn.Conv2d(width, EMBEDDING_WIDTH, 1, bias=False),
            nn.BatchNorm2d(EMBEDDING_WIDTH),
        )
        self.dropout = nn.Dropout(0.2)
        self.num_features = EMBEDDING_WIDTH
        self.classifier: nn.Module = nn.Identity()
        self.reset_classifier(classes)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map crops float32 [N, 3, 64, 64] to the last feature map [N, width, 4, 4]."""
        return self.body(self.contrast(x))

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Map the last feature map to logits [N, classes], or to the embedding [N, 128] if `pre_logits`."""
        embedding = self.fold(x).flatten(1)
        return embedding if pre_logits else self.get_classifier()(embedding)

    def get_classifier(self) -> nn.Module:
        """Return the classifier with its dropout; `nn.Identity` if there is none."""
        if isinstance(self.classifier, nn.Identity):
            return self.classifier
        return nn.Sequential(self.dropout, self.classifier)

    def reset_classifier(self, num_classes: int) -> None:
        """Replace the classifier by a randomly initialized one, or remove it if `num_classes` is 0, as in timm."""
        self.classifier = nn.Linear(EMBEDDING_WIDTH, num_classes) if num_classes else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map crops float32 [N, 3, 64, 64] to logits [N, classes]."""
        return self.forward_head(self.forward_features(x))


def tiny_resnet(classes: int) -> TinyNetwork:
    """Create the residual network, the more accurate of the two networks."""
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
    """Create the network of depthwise separable convolutions, the faster of the two networks."""
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
