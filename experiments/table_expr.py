"""EXPR table of the paper: macro F1 and accuracy by backbone, features and head, without smoothing.

    framelight run table_expr --data AFFWILD2
    framelight leaderboard --task expr --published

AFFWILD2 contains Aff-Wild2 in the ABAW3 layout. The six backbones of the paper must be imported first, each with
`framelight backbones import FILE --name NAME --like hsemotion`; for other backbones, add --set backbones=NAME,... As in
the paper, everything is selected on the reported split, so the scores are optimistic. The paper reports 0.381 for
enet_b0_8_best_vgaf, embeddings, mlp; six runs of this row range from 0.341 to 0.384. The paper has no row with the
features `embeddings+scores`.
"""

from experiments._paper import BACKBONES, EXPR_LINEAR, EXPR_MLP, FRAME_LEVEL, PUBLISHED
from harness import FEATURES, Grid, Recipe

recipe = Recipe(
    name="table_expr",
    backbones=BACKBONES,
    grids=(Grid("expr", FEATURES, (EXPR_LINEAR, EXPR_MLP)),),
    smoothing=FRAME_LEVEL,
    protocol=PUBLISHED,
)
