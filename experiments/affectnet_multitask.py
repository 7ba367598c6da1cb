"""Second step for expressions, valence and arousal together: ten outputs of one linear layer (Savchenko, July 2022).

    framelight train-backbone affectnet_multitask --data AFFECTNET

Like affectnet_expressions, but with batches of 48 and (1 - CCC_V) / 2 + (1 - CCC_A) / 2 added to the loss for the last
two outputs. Add --set also=va,au for the twelve action units of an image table.
"""

from dataclasses import replace

from experiments.affectnet_expressions import recipe as expressions

assert expressions.training.expressions is not None
recipe = replace(
    expressions,
    name="affectnet_multitask",
    training=replace(
        expressions.training, batch_size=48, expressions=replace(expressions.training.expressions, also=("va",))
    ),
)
