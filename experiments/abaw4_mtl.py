"""MTL networks of the author for the fourth ABAW challenge: one trained jointly, one with three separate heads.

    framelight run abaw4_mtl --data AFFWILD2

The separate heads: EXPR linear on all features; VA linear on the scores only; AU on all features with a hidden layer
of 128 units. Variants use all features, only the embeddings or only the scores for every head. The backbone,
enet_b0_8_va_mtl, also predicts valence and arousal. Rows whose features include these predictions of the targets have
the flag own_scores. Published scores on the data of the fourth challenge: separate heads 1.276; with VA on all features
1.237; with all heads on embeddings 1.250 or on scores 1.157; joint training 1.20 to 1.21. In the published joint
training, valence and arousal were also inputs of the other heads.
"""

from dataclasses import replace

from experiments._paper import DIRECT, FRAME_LEVEL, PUBLISHED, SEPARATE, SEPARATE_SCORES
from harness import Grid, Recipe

JOINT = replace(DIRECT, task_weights="balanced")

recipe = Recipe(
    name="abaw4_mtl",
    backbones=("enet_b0_8_va_mtl",),
    grids=(
        Grid("mtl", ("embeddings+scores",), (JOINT, SEPARATE_SCORES, SEPARATE)),
        Grid("mtl", ("embeddings", "scores"), (JOINT, SEPARATE)),
    ),
    smoothing=FRAME_LEVEL,
    protocol=PUBLISHED,
    thresholds="half",
)
