"""MobileFaceNet (Chen et al. 2018, arXiv 1804.07573) in the wider form of InsightFace, which emotion weights exist for.

Parameters are called as in InsightFace's layout: `layers.0.layers.0.weight` to `features.layers.3.bias`, then the
classifier `fc`. 2.06 M parameters before the classifier.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

EMBEDDING_WIDTH = 512
NARROW, WIDE = 128, 256
MAP_SIZE = 7
"""Side of the last map for crops of 112 x 112."""


class LayerStack(nn.Module):
    """Layers one after another, called `layers`; with a shortcut, their input is added to what comes out."""

    def __init__(self, *layers: nn.Module, shortcut: bool = False) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
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
    """Input float32 [N, 3, 112, 112], RGB in -1..1; the embedding is [N, 512], folded from the last 7 x 7 map by a
    depthwise convolution as large as itself, a linear layer and a norm. `forward` gives logits [N, classes].
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
        for layer in self.layers:
            x = layer(x)
        return self.conv_sep(x)

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        embedding = self.features(x)
        return embedding if pre_logits else self.fc(embedding)

    def get_classifier(self) -> nn.Module:
        return self.fc

    def reset_classifier(self, num_classes: int) -> None:
        """0 classes: no classifier, as in timm."""
        self.fc = nn.Linear(EMBEDDING_WIDTH, num_classes) if num_classes else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.forward_head(self.forward_features(x))


def checkpoint_filter_fn(state: Mapping[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """Names of a network that holds this one as a part, beside its classifier -> this module's names.

    The name and the arguments are timm's, whose models have such functions too.
    """
    last = "features.layers.3.weight"
    prefix = next((name.removesuffix(last) for name in state if name.endswith(f".{last}")), "")
    own = {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
    beside = {name.rpartition(".")[2]: tensor for name, tensor in state.items() if not name.startswith(prefix)}
    surplus = len(state) - len(own) - len(beside)
    return dict(state) if surplus else own | {f"fc.{kind}": tensor for kind, tensor in beside.items()}
