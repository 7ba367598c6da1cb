"""The whole wire on synthetic faces, with no download.

    framelight run quickstart

Makes 40 videos and 3,000 stills, trains two light backbones on the stills (identities, then expressions), and compares
them for the four tasks: three feature choices and two heads for EXPR, one head each for VA, AU and MTL, every radius
0 to 50 of the mean and the median filter. About two and a half minutes on two cores; seconds when it is run again.
"""

from experiments._heads import LINEAR
from experiments._stills import QUICK, QUICK_NAMES
from harness import FEATURES, Grid, HeadConfig, Recipe, SmoothingGrid, SyntheticVideos

recipe = Recipe(
    name="quickstart",
    synthetic=SyntheticVideos(videos=40, frames=150),
    trained=QUICK,
    backbones=QUICK_NAMES,
    grids=(
        Grid("expr", FEATURES, (LINEAR, HeadConfig("mlp"))),
        Grid("va", ("embeddings",), (HeadConfig("mlp", epochs=20),)),
        Grid("au", ("embeddings",), (HeadConfig("mlp"),)),
        Grid("mtl", ("embeddings+scores",), (HeadConfig("multitask", hidden=0, epochs=20, learning_rate=5e-3),)),
    ),
    smoothing=SmoothingGrid(largest=50),
    seeds=(0, 1, 2),
)
