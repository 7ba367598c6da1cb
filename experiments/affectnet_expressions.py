"""Second step of the published training: eight expressions on a network pretrained for faces (Savchenko 2022).

    framelight train-backbone affectnet_expressions --data AFFECTNET

AFFECTNET is the 2017 release (training.csv, validation.csv and the images, cropped to the face boxes in these lists),
the 2021 release (train_set/ and val_set/ with images/ and annotations/) or an image table with the column `expression`.

The training starts from the backbone that the recipe vggface2_identities trains; without it, add
--set backbone=efficientnet_b0 (ImageNet weights) or the name of an imported backbone. First only the classifier is
trained, for three epochs at a learning rate of 1e-3, then all layers for six epochs at 1e-4, with SAM and Adam, batches
of 32, no augmentation and classes weighted by their rarity. As in the publication, the epoch is selected by the
accuracy on the validation split. The same accuracy is reported, so it is optimistic; the card records this. To select
on training images instead, add --set held_out=0.1 --set keep=macro_f1. With 288,000 images, the training takes hours on
one GPU.
"""

import math

from harness import Augmentation, BackboneRecipe, Expressions, Schedule, StillsConfig

recipe = BackboneRecipe(
    name="affectnet_expressions",
    training=StillsConfig(
        backbone="vggface2_identities",
        identities=None,
        expressions=Expressions(
            Schedule(
                epochs=6, learning_rate=1e-4, head_epochs=3, head_learning_rate=1e-3, shape="constant", warmup=0.0
            ),
            weight_limit=math.inf,
            label_smoothing=0.0,
            keep="accuracy",
            held_out=0.0,
        ),
        augmentation=Augmentation(strength=0.0, flip=False),
        batch_size=32,
        weight_decay=0.0,
        clip=0.0,
        sam=0.05,
    ),
    licence="AffectNet's terms (research)",
)
