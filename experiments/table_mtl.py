"""The paper's table of MTL: valence/arousal, expression and action units at once, three kinds of network.

    framelight run table_mtl --data AFFWILD2
    framelight leaderboard --task mtl --published

`multitask` directly on the features (hidden=0) against a shared hidden layer (hidden=128), as published, and against
`separate` networks. Data and networks as of table_expr. Rows without a valid label stay in the batch as zeros, as in
the paper. Thresholds are 0.5, as in its table: 1.147 for enet_b2_8, embeddings+scores, hidden=0. Frames of this task
are sparse, so nothing is smoothed.
"""

from experiments._paper import BACKBONES, DENSE, DIRECT, FRAME_LEVEL, PUBLISHED, SEPARATE, SEPARATE_SCORES
from harness import Grid, Recipe

recipe = Recipe(
    name="table_mtl",
    backbones=BACKBONES,
    grids=(
        Grid("mtl", ("embeddings",), (DIRECT, DENSE, SEPARATE)),
        Grid("mtl", ("embeddings+scores",), (DIRECT, DENSE, SEPARATE_SCORES)),
    ),
    smoothing=FRAME_LEVEL,
    protocol=PUBLISHED,
    thresholds="half",
)
