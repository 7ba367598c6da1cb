"""The paper's table of smoothing: the submitted networks of EXPR, VA and AU behind filters of fixed width.

    framelight run table_smoothing --data AFFWILD2
    framelight leaderboard --published

Mean and median over k = 1, 5 and 15 frames (radius 0, 2, 7), and the long curve of the mean filter up to 200 frames
each side. Each network is trained once; a filter is a replay of its outputs. Data as of table_expr; one backbone,
enet_b0_8_best_vgaf, others with --set backbones=NAME,... The paper reports 0.381, 0.402 (mean, 7) and 0.426 (mean, 50)
for EXPR, 0.464 and 0.492 (mean, 7) for VA, 0.537 and 0.548 (median, 7) for AU, which long windows hurt.
"""

from experiments._paper import EXPR_MLP, FRAME_LEVEL, LINEAR, MLP, PUBLISHED, SUBMITTED, fixed
from harness import Grid, Recipe

SHORT = (*fixed("mean", 0, 2, 7), *fixed("median", 2, 7))
LONG = SHORT + fixed("mean", 5, 15, 25, 50, 100, 200)
LONG_AU = LONG + fixed("mean", 3, 10, 20)

recipe = Recipe(
    name="table_smoothing",
    backbones=SUBMITTED,
    grids=(
        Grid("expr", ("embeddings",), (EXPR_MLP,), smoothings=LONG),
        Grid("va", ("scores",), (LINEAR,), smoothings=LONG),
        Grid("au", ("embeddings",), (MLP,), smoothings=LONG_AU),
    ),
    smoothing=FRAME_LEVEL,
    protocol=PUBLISHED,
)
