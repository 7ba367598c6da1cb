"""Step two for expressions, valence and arousal at once: ten outputs of one linear layer (Savchenko, July 2022).

    framelight train-backbone affectnet_multitask --data AFFECTNET

As affectnet_expressions, in batches of 48, and (1 - CCC_V) / 2 + (1 - CCC_A) / 2 is added to the loss for the last two
outputs. --set also=va,au adds the twelve action units, where an image table has them.
"""

from dataclasses import replace

from experiments.affectnet_expressions import recipe as expressions

recipe = replace(
    expressions,
    name="affectnet_multitask",
    training=replace(
        expressions.training, batch_size=48, expressions=replace(expressions.training.expressions, also=("va",))
    ),
)
