"""Identities, then expressions, on a network that two cores train in minutes.

    framelight train-backbone light_both [--data DIR]

DIR is an image table (labels.csv with image, expression and subject); without it, 12,000 stills that this project
draws. Valence, arousal and action units are learned beside the expression where the table has them.
A slice of the training subjects chooses the epoch; the validation split is only reported. With light_identities and
light_expressions it shows what each of the two steps is worth:

    framelight run real_faces --data DIR \\
        --set backbones=tiny_resnet@random,light_identities,light_expressions,light_both
"""

from experiments._stills import RESNET
from harness import BackboneRecipe

recipe = BackboneRecipe(name="light_both", training=RESNET.training, stills=RESNET.stills)
