"""First step of the published training: a small network learns to recognize identities (Savchenko 2022).

    framelight train-backbone vggface2_identities --data VGGFACE2

VGGFACE2 contains train/<identity>/*.jpg. It may also contain test/<identity>/*.jpg with other people, on whom face
verification is then evaluated, and the face boxes bb_landmark/loose_bb_train.csv and loose_bb_test.csv. Other folders
of this form and image tables with the column `subject` are supported too.

EfficientNet-B0 with ImageNet weights is trained at 224 pixels on 3.1 million images: first only the classifier, for one
epoch at a learning rate of 1e-3, then all layers for ten epochs at 1e-4, with SAM and Adam (two passes per step),
batches of 48, random crops of images of 256 pixels, and flips. The epoch is selected on a tenth of the images of each
identity. This takes days on one GPU; to use all GPUs, add --set devices=auto, --set precision=bf16-mixed and --set
hardware.workers=16. If interrupted, the same command resumes after the last complete epoch. The recipes
affectnet_expressions and affectnet_multitask start from the resulting backbone, vggface2_identities.
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
