"""Two small backbones that recipes train on synthetic still images, so that no download is needed.

The backbones learn identities, then expressions together with valence, arousal and action units. Crops are shifted and
scaled strongly, because crops of other datasets are placed around the face differently from the synthetic crops.
"""

from dataclasses import replace

from harness import Augmentation, Expressions, Identities, Schedule, StillsConfig, SyntheticStills, TrainedBackbone

MANY = SyntheticStills(images=12000, identities=480)
POSED = SyntheticStills(images=3000, identities=120, style="posed")
TRAINING = StillsConfig(
    identities=Identities(Schedule(epochs=2, learning_rate=4e-3)),
    expressions=Expressions(Schedule(epochs=8, learning_rate=4e-3), also=("va", "au")),
    augmentation=Augmentation(strength=0.25, geometry=1.5),
    batch_size=32,
    weight_decay=0.02,
)
RESNET = TrainedBackbone("resnet_stills", replace(TRAINING, backbone="tiny_resnet@random"), MANY)
MOBILENET = TrainedBackbone("mobilenet_stills", replace(TRAINING, backbone="tiny_mobilenet@random"), MANY)
TRAINED = (RESNET, MOBILENET)
NAMES = tuple(backbone.name for backbone in TRAINED)

_QUICK = replace(
    TRAINING,
    identities=Identities(Schedule(epochs=4, learning_rate=4e-3)),
    expressions=Expressions(Schedule(epochs=10, learning_rate=4e-3)),
)
QUICK = (
    TrainedBackbone("resnet_quick", replace(_QUICK, backbone="tiny_resnet@random"), POSED),
    TrainedBackbone("mobilenet_quick", replace(_QUICK, backbone="tiny_mobilenet@random"), POSED),
)
"""The same networks trained in about a minute on fewer images, which are posed and have the classes of AffectNet."""
QUICK_NAMES = tuple(backbone.name for backbone in QUICK)
