"""The paper's table of EXPR: macro F1 and accuracy by backbone, features and head, frame by frame.

    framelight run table_expr --data AFFWILD2
    framelight leaderboard --task expr --published

AFFWILD2 holds Aff-Wild2 in the ABAW3 layout. The six networks of the paper must be in the store, each imported with
`framelight backbones import FILE --name NAME`; any others do with --set backbones=NAME,... Trained and chosen as the
paper did, on the reported split, so optimistic. It reports 0.381 for enet_b0_8_best_vgaf, embeddings, mlp (six runs of
it between 0.341 and 0.384); `scores` beside `embeddings` are this table's addition.
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
