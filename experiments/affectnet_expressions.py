"""Step two of the published recipe: a network that knows faces learns eight expressions (Savchenko 2022).

    framelight train-backbone affectnet_expressions --data AFFECTNET

AFFECTNET is the release of 2017 (training.csv, validation.csv and the images, cut out by the face boxes of the lists)
or of 2021 (train_set/ and val_set/ with images/ and annotations/), or an image table with the column `expression`.

Starts from the entry vggface2_identities of the store; without it add --set backbone=efficientnet_b0 (ImageNet only) or
the name of an imported backbone. The classifier alone for three epochs at 1e-3, then all layers for six at 1e-4, Adam
in SAM, batches of 32, no augmentation, each class weighted by its rarity. As published, and unlike this project's other
recipes, the validation split itself chooses the epoch, by its accuracy, and is then reported: the card says so.
--set held_out=0.1 --set keep=macro_f1 chooses on training images instead. 288,000 images: hours on one GPU.
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
