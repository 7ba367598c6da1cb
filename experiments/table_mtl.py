"""MTL table of the paper: three kinds of networks for valence/arousal, expression and action units together.

    framelight run table_mtl --data AFFWILD2
    framelight leaderboard --task mtl --published

Compares `multitask` heads directly on the features (hidden=0) and on a shared hidden layer (hidden=128), as in the
paper, and `separate` networks. For data and backbones, see table_expr. As in the paper, thresholds are 0.5, and frames
without a valid label stay in the loss of `multitask` heads, with output and target set to 0. The paper reports 1.147
for enet_b2_8, embeddings+scores, hidden=0. The frames of this task are sparse, so there is no smoothing.
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
