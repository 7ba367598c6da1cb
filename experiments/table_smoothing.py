"""Smoothing table of the paper: the submitted networks for EXPR, VA and AU with filters of fixed width.

    framelight run table_smoothing --data AFFWILD2
    framelight leaderboard --published

Compares mean and median filters over 1, 5 and 15 frames (radius 0, 2 and 7) and mean filters with radii up to 200
frames. Each network is trained once; all filters are applied to its saved predictions. For data, see table_expr. The
backbone is enet_b0_8_best_vgaf; for others, add --set backbones=NAME,... The paper reports for EXPR 0.381 without
smoothing, 0.402 (mean, radius 7) and 0.426 (mean, radius 50); for VA 0.464 without smoothing and 0.492 (mean, radius
7); for AU 0.537 without smoothing and 0.548 (median, radius 7). Long windows lower the score for AU.
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
