r"""Small backbone trained for identities, then for expressions; takes minutes on two cores.

    framelight train-backbone light_both [--data DIR]

DIR is an image table (labels.csv with the columns image, expression and subject); without it, 12,000 synthetic images
are used. Valence, arousal and action units are trained together with the expression if the table contains them. The
epoch is selected on a subset of the training subjects; the validation split only yields the reported scores. To
compare the contributions of the two steps, train light_identities and light_expressions too:

    framelight run real_faces --data DIR \
        --set backbones=tiny_resnet@random,light_identities,light_expressions,light_both
"""

from experiments._stills import RESNET
from harness import BackboneRecipe

recipe = BackboneRecipe(name="light_both", training=RESNET.training, stills=RESNET.stills)
