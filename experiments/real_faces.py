"""Expression on an image table of real stills, frame by frame; there is nothing to smooth.

    framelight run real_faces --data DIR

DIR holds labels.csv with the columns image, expression and optionally subject, split. Compares the two light backbones
that are trained on synthetic stills, the three feature choices and two heads.
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
