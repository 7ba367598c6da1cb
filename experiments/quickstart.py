"""Complete benchmark on synthetic faces, without downloads.

    framelight run quickstart

Generates 120 videos and 3,000 still images, trains two small backbones on the images (identities, then expressions) and
compares them on the four tasks: three combinations of features and two heads for EXPR, one head each for VA, AU and
MTL, and mean and median filters with radii from 0 to 50 frames. Takes about four minutes on two cores, and seconds
when it is repeated.
"""

from experiments._heads import LINEAR
from experiments._stills import QUICK, QUICK_NAMES
from harness import FEATURES, Grid, HeadConfig, Recipe, SmoothingGrid, SyntheticVideos

recipe = Recipe(
    name="quickstart",
    synthetic=SyntheticVideos(videos=120, frames=70, style="spontaneous"),
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
