"""VA table of the paper: CCC of valence and arousal by backbone, features and head, without smoothing.

    framelight run table_va --data AFFWILD2
    framelight leaderboard --task va --published

For data and backbones, see table_expr. The paper predicts valence and arousal from the 8 scores with one linear layer
and reports 0.464 for enet_b0_8_best_vgaf; the other combinations are for comparison.
"""

from experiments._paper import BACKBONES, FRAME_LEVEL, LINEAR, MLP, PUBLISHED
from harness import FEATURES, Grid, Recipe

recipe = Recipe(
    name="table_va",
    backbones=BACKBONES,
    grids=(Grid("va", FEATURES, (LINEAR, MLP)),),
    smoothing=FRAME_LEVEL,
    protocol=PUBLISHED,
)
