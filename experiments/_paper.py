"""Backbones and heads of the paper (Savchenko 2022), shared by the recipes of its tables.

The heads are trained as in the paper's notebooks: Adam with a constant learning rate of 1e-3, inputs that are not
standardized, L2 regularization of 1 / batch size (none for single-task networks with a hidden layer), and the best
epoch by accuracy (EXPR) or loss (other tasks). Everything is selected on the reported split (protocol `published`).
"""

from dataclasses import replace

from harness import HeadConfig, HeadOverride, Protocol, SmoothingGrid

BACKBONES = ("mobilenet_7", "enet_b0_7", "enet_b0_8_best_afew", "enet_b0_8_best_vgaf", "enet_b2_8", "enet_b2_7")
"""Names of the published weights (sb-ai-lab/EmotiEffLib)."""

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
"""Three output layers directly on the features; DENSE has a shared hidden layer before them."""

_LINEARS = replace(LINEAR, kind="separate", hidden=0, epochs=10)
_EXPR, _AU = HeadOverride("expr", keep="accuracy"), HeadOverride("au", hidden=128, l2=0.0)
SEPARATE = replace(_LINEARS, parts=(_EXPR, HeadOverride("va", epochs=20), _AU))
"""A separately trained network for each output: expression, valence and arousal, and action units."""

SEPARATE_SCORES = replace(_LINEARS, parts=(_EXPR, HeadOverride("va", epochs=20, features="scores"), _AU))
"""Like `SEPARATE`, but valence and arousal are predicted from the scores only (the author's second network in the
fourth ABAW challenge).
"""


def fixed(kernel: str, *radii: int) -> tuple[SmoothingGrid, ...]:
    """Return one grid per radius, each with a single filter, so that no radius is selected.

    Parameters
    ----------
    kernel : str
        Name of the kernel.
    *radii : int
        Radii in frames on each side.

    Returns
    -------
    tuple of SmoothingGrid
        The grids, in the order of `radii`.
    """
    return tuple(SmoothingGrid(kernels=(kernel,), smallest=radius, largest=radius) for radius in radii)
