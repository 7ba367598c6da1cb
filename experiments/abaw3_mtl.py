"""Valence/arousal, expression and action units together (MTL): P_VA + P_EXPR + P_AU in the ABAW3 layout.

    framelight run abaw3_mtl --data DIR

Compares two small backbones trained on synthetic still images, three combinations of features and two heads: three
output layers directly on the features, and three output layers on a shared hidden layer.
"""

from experiments._stills import NAMES, TRAINED
from harness import FEATURES, Grid, HeadConfig, Recipe, SmoothingGrid

recipe = Recipe(
    name="abaw3_mtl",
    trained=TRAINED,
    backbones=NAMES,
    grids=(
        Grid(
            "mtl",
            FEATURES,
            (
                HeadConfig("multitask", hidden=0, epochs=20, learning_rate=5e-3),
                HeadConfig("multitask", hidden=128, epochs=20),
            ),
        ),
    ),
    smoothing=SmoothingGrid(largest=100),
)
