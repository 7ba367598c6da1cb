"""The paper's table of AU: mean F1 of twelve action units by backbone, features and head, frame by frame.

    framelight run table_au --data AFFWILD2
    framelight leaderboard --task au --published

Data and networks as of table_expr. Each action unit has the threshold that is best on the reported split, as published;
every row also holds the score at 0.5 (`P_AU/threshold_0.5` in --format json), and --set thresholds=half ranks by it.
The paper reports 0.537 and 0.508 for enet_b0_8_best_vgaf, embeddings, mlp.
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
