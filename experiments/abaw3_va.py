"""Valence and arousal (VA): mean CCC on videos in the ABAW3 layout of Aff-Wild2.

    framelight run abaw3_va --data DIR

Compares two small backbones trained on synthetic still images, three combinations of features and two heads. To compare
backbones with downloaded weights instead, add --set backbones=efficientnet_b0,efficientnet_b2.
"""

from experiments._heads import LINEAR
from experiments._stills import NAMES, TRAINED
from harness import FEATURES, Grid, HeadConfig, Recipe, SmoothingGrid

recipe = Recipe(
    name="abaw3_va",
    trained=TRAINED,
    backbones=NAMES,
    grids=(Grid("va", FEATURES, (LINEAR, HeadConfig("mlp", epochs=20))),),
    smoothing=SmoothingGrid(largest=100),
)
