"""The two light backbones that recipes train on built-in stills, so that nothing needs a download.

Expressions are learned with valence, arousal and action units beside them, and crops are moved and scaled far more than
the stills themselves are: other data frames its faces otherwise.
"""

from dataclasses import replace

from harness import Augmentation, Expressions, Identities, Schedule, StillsConfig, SyntheticStills, TrainedBackbone

FEW, MANY = SyntheticStills(images=3000, identities=120), SyntheticStills(images=12000, identities=480)
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
    augmentation=Augmentation(strength=0.25),
    identities=Identities(Schedule(epochs=4, learning_rate=4e-3)),
    expressions=Expressions(Schedule(epochs=10, learning_rate=4e-3)),
)
QUICK = (
    TrainedBackbone("resnet_quick", replace(_QUICK, backbone="tiny_resnet@random"), FEW),
    TrainedBackbone("mobilenet_quick", replace(_QUICK, backbone="tiny_mobilenet@random"), FEW),
)
"""The same networks on fewer stills, a minute instead of minutes, for videos framed as the stills are."""
QUICK_NAMES = tuple(backbone.name for backbone in QUICK)
