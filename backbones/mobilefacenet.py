"""MobileFaceNet (Chen et al. 2018, arXiv 1804.07573) in InsightFace's wider variant, for which emotion weights exist.

Parameters are named as in InsightFace: `layers.0.layers.0.weight` to `features.layers.3.bias`, then the classifier
`fc`. The network has 2.06 million parameters without the classifier.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

EMBEDDING_WIDTH = 512
NARROW, WIDE = 128, 256
MAP_SIZE = 7
"""Height and width of the last feature map for crops of 112 x 112 pixels."""


class LayerStack(nn.Module):
    """Sequence of layers, optionally with a residual connection around all of them."""

    def __init__(self, *layers: nn.Module, shortcut: bool = False) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layers."""
        return self.layers(x) + x if self.shortcut else self.layers(x)


def _conv(  # noqa: PLR0913 - as torch.nn.Conv2d
    inputs: int, outputs: int, kernel: int = 1, stride: int = 1, padding: int = 0, groups: int = 1, linear: bool = False
) -> LayerStack:
    layers = [nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False), nn.BatchNorm2d(outputs)]
    return LayerStack(*layers) if linear else LayerStack(*layers, nn.PReLU(outputs))


def _bottleneck(inputs: int, outputs: int, hidden: int, stride: int = 1, shortcut: bool = False) -> LayerStack:
    return LayerStack(
        _conv(inputs, hidden),
        _conv(hidden, hidden, 3, stride, 1, groups=hidden),
        _conv(hidden, outputs, linear=True),
        shortcut=shortcut,
    )


def _repeat_bottleneck(count: int, width: int) -> LayerStack:
    return LayerStack(*(_bottleneck(width, width, width, shortcut=True) for _ in range(count)))


class MobileFaceNet(nn.Module):
    """MobileFaceNet for RGB crops of 112 x 112 pixels with values from -1 to 1.

    The embedding [N, 512] is computed from the last 7 x 7 feature map by a depthwise convolution of the same size, a
    linear layer and batch normalization.

    Parameters
    ----------
    classes : int
        Columns of the classifier; 0 for none.
    """

    num_features = EMBEDDING_WIDTH

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [
                _conv(3, NARROW, 3, 2, 1),
                _conv(NARROW, NARROW, 3, 1, 1, groups=NARROW // 2),
                _bottleneck(NARROW, NARROW, NARROW, 2),
                _repeat_bottleneck(4, NARROW),
                _bottleneck(NARROW, WIDE, WIDE, 2),
                _repeat_bottleneck(6, WIDE),
                _bottleneck(WIDE, WIDE, 2 * WIDE, 2),
                _repeat_bottleneck(2, WIDE),
            ]
        )
        self.conv_sep = _conv(WIDE, EMBEDDING_WIDTH)
        self.features = LayerStack(
            _conv(EMBEDDING_WIDTH, EMBEDDING_WIDTH, MAP_SIZE, groups=EMBEDDING_WIDTH, linear=True),
            nn.Flatten(),
            nn.Linear(EMBEDDING_WIDTH, EMBEDDING_WIDTH, bias=False),
            nn.BatchNorm1d(EMBEDDING_WIDTH),
        )
        self.fc: nn.Module = nn.Identity()
        self.reset_classifier(classes)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map crops float32 [N, 3, 112, 112] to the last feature map [N, 512, 7, 7]."""
        for layer in self.layers:
            x = layer(x)
        return self.conv_sep(x)

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Map the last feature map to logits [N, classes], or to the embedding [N, 512] if `pre_logits`."""
        embedding = self.features(x)
        return embedding if pre_logits else self.fc(embedding)

    def get_classifier(self) -> nn.Module:
        """Return the classifier; `nn.Identity` if there is none."""
        return self.fc

    def reset_classifier(self, num_classes: int) -> None:
        """Replace the classifier by a randomly initialized one, or remove it if `num_classes` is 0, as in timm."""
        self.fc = nn.Linear(EMBEDDING_WIDTH, num_classes) if num_classes else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map crops float32 [N, 3, 112, 112] to logits [N, classes]."""
        return self.forward_head(self.forward_features(x))


def checkpoint_filter_fn(state: Mapping[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """Rename the tensors of a network that contains MobileFaceNet as a submodule next to the classifier.

    The function has the name and the arguments of its counterparts in timm's model modules.

    Parameters
    ----------
    state : mapping of str to Tensor
        A state dict.
    network : nn.Module
        Not used.

    Returns
    -------
    dict of str to Tensor
        The tensors with the names of `MobileFaceNet`; `state` unchanged if it belongs to another network.
    """
    last = "features.layers.3.weight"
    prefix = next((name.removesuffix(last) for name in state if name.endswith(f".{last}")), "")
    body = {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
    classifier = {name.rpartition(".")[2]: tensor for name, tensor in state.items() if not name.startswith(prefix)}
    has_name_clash = len(state) != len(body) + len(classifier)
    return dict(state) if has_name_clash else body | {f"fc.{kind}": tensor for kind, tensor in classifier.items()}
