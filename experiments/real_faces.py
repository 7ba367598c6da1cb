"""Expression on still images from an image table, without smoothing.

    framelight run real_faces --data DIR

DIR contains labels.csv with the columns image, expression and optionally subject and split. Compares two small
backbones trained on synthetic still images, three combinations of features and two heads.
"""

from experiments._heads import LINEAR
from experiments._stills import NAMES, TRAINED
from harness import FEATURES, Grid, HeadConfig, Recipe, SmoothingGrid

recipe = Recipe(
    name="real_faces",
    trained=TRAINED,
    backbones=NAMES,
    grids=(Grid("expr", FEATURES, (LINEAR, HeadConfig("mlp"))),),
    smoothing=SmoothingGrid(largest=0),
)
