"""What the recipes of the paper's tables share: its backbones, and its heads as their notebook trains them.

Adam at 1e-3 without a schedule, inputs as they are, the best epoch by accuracy (EXPR) or by the loss (the others), L2
of 1 / batch size on linear layers, and everything chosen on the reported split (Savchenko 2022; protocol `published`).
"""

from dataclasses import replace

from harness import HeadConfig, HeadOverride, Protocol, SmoothingGrid

BACKBONES = ("mobilenet_7", "enet_b0_7", "enet_b0_8_best_afew", "enet_b0_8_best_vgaf", "enet_b2_8", "enet_b2_7")
"""As their weights are called where they are published (sb-ai-lab/EmotiEffLib)."""

SUBMITTED = ("enet_b0_8_best_vgaf",)
PUBLISHED = Protocol("published")
FRAME_LEVEL = SmoothingGrid(kernels=("mean",), smallest=0, largest=0)

_ADAM = HeadConfig(standardise=False, schedule="constant", class_weights="published")
EXPR_MLP = replace(_ADAM, keep="accuracy", epochs=10, batch_size=256)
EXPR_LINEAR = replace(EXPR_MLP, kind="logistic_regression", l2=1 / 256)
MLP = replace(_ADAM, keep="loss", epochs=20, batch_size=512)
LINEAR = replace(MLP, kind="logistic_regression", l2=1 / 512)

DENSE = replace(_ADAM, kind="multitask", keep="loss", epochs=20, batch_size=256, l2=1 / 256, invalid="zeroed")
DIRECT = replace(DENSE, hidden=0)
"""Three output layers on the features themselves; DENSE puts a hidden layer under them."""

_LINEARS = replace(LINEAR, kind="separate", hidden=0, epochs=10)
_EXPR, _AU = HeadOverride("expr", keep="accuracy"), HeadOverride("au", hidden=128, l2=0.0)
SEPARATE = replace(_LINEARS, parts=(_EXPR, HeadOverride("va", epochs=20), _AU))
"""A network for each output, trained for itself (the author's second network of the fourth challenge)."""

SEPARATE_SCORES = replace(_LINEARS, parts=(_EXPR, HeadOverride("va", epochs=20, features="scores"), _AU))
"""The same, but valence and arousal read the scores alone."""


def fixed(kernel: str, *radii: int) -> tuple[SmoothingGrid, ...]:
    """A filter of each radius, in frames each side, with nothing to choose."""
    return tuple(SmoothingGrid(kernels=(kernel,), smallest=radius, largest=radius) for radius in radii)
