"""Expression on still images from an image table or folders, without smoothing.

    framelight run real_faces --data DIR

DIR contains labels.csv with the columns image, expression and optionally subject and split, or folders of expressions
such as train/happy and test/happy. Compares two small backbones trained on synthetic still images, three combinations
of features and two heads. After the selection, the models are not refit on all training images, because a refit lowers
the scores on still images (see README.md in this folder).
"""

from experiments._heads import LINEAR
from experiments._stills import NAMES, TRAINED
from harness import FEATURES, Grid, HeadConfig, Protocol, Recipe, SmoothingGrid

recipe = Recipe(
    name="real_faces",
    trained=TRAINED,
    backbones=NAMES,
    grids=(Grid("expr", FEATURES, (LINEAR, HeadConfig("mlp"))),),
    smoothing=SmoothingGrid(largest=0),
    protocol=Protocol(refit=False),
)
