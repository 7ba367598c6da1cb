"""Step one of the published recipe: a light network learns whose face it sees (Savchenko 2022).

    framelight train-backbone vggface2_identities --data VGGFACE2

VGGFACE2 holds train/<identity>/*.jpg, and where you have them test/<identity>/*.jpg, whose people are unseen (faces are
then verified on them), and bb_landmark/loose_bb_train.csv, loose_bb_test.csv: the face boxes. Any folder of that form
does, or an image table with the column `subject`.

EfficientNet-B0 from ImageNet at 224 pixels, 3.1 million images: the classifier alone for one epoch at 1e-3, then all
layers for ten at 1e-4, Adam in SAM (two passes a step), batches of 48, a crop of 224 out of 256 pixels and flips; a
tenth of each identity's images chooses the epoch. That is days on one GPU: add --set devices=auto for all of them,
--set precision=bf16-mixed, --set hardware.workers=16. Killed, the same command goes on from the last epoch.
Its entry, vggface2_identities, is what affectnet_expressions and affectnet_multitask start from.
"""

from harness import Augmentation, BackboneRecipe, Identities, Schedule, StillsConfig

recipe = BackboneRecipe(
    name="vggface2_identities",
    training=StillsConfig(
        backbone="efficientnet_b0",
        identities=Identities(
            Schedule(
                epochs=10, learning_rate=1e-4, head_epochs=1, head_learning_rate=1e-3, shape="constant", warmup=0.0
            ),
            label_smoothing=0.0,
        ),
        expressions=None,
        augmentation=Augmentation(strength=0.0, flip=True, crop=0.08, enlarge=256 / 224),
        margin=(0.1, 0.2),
        batch_size=48,
        weight_decay=0.0,
        clip=0.0,
        sam=0.05,
    ),
    licence="VGGFace2's terms (research)",
)
