"""The paper's table of VA: CCC of valence and arousal by backbone, features and head, frame by frame.

    framelight run table_va --data AFFWILD2
    framelight leaderboard --task va --published

Data and networks as of table_expr. The paper feeds valence and arousal from the 8 scores through one linear layer:
0.464 for enet_b0_8_best_vgaf; the other combinations show what that choice is worth.
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
