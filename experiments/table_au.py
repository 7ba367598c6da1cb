"""AU table of the paper: mean F1 over twelve action units by backbone, features and head, without smoothing.

    framelight run table_au --data AFFWILD2
    framelight leaderboard --task au --published

For data and backbones, see table_expr. As in the paper, each action unit uses the threshold that is best on the
reported split. Every row also has the score with thresholds of 0.5 (`P_AU/threshold_0.5` in --format json); to rank by
it, add --set thresholds=half. For enet_b0_8_best_vgaf, embeddings, mlp, the paper reports 0.537 with the best
thresholds and 0.508 with thresholds of 0.5.
"""

from experiments._paper import BACKBONES, FRAME_LEVEL, LINEAR, MLP, PUBLISHED
from harness import FEATURES, Grid, Recipe

recipe = Recipe(
    name="table_au",
    backbones=BACKBONES,
    grids=(Grid("au", FEATURES, (LINEAR, MLP)),),
    smoothing=FRAME_LEVEL,
    protocol=PUBLISHED,
)
