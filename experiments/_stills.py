"""The two light backbones that recipes train on built-in stills, so that nothing needs a download."""

from dataclasses import replace

from harness.pretraining.config import Augmentation, Expressions, Identities, Schedule, StillsConfig
from harness.recipes import SyntheticStills, TrainedBackbone

STILLS = SyntheticStills(images=3000, identities=120)
TRAINING = StillsConfig(
    identities=Identities(Schedule(epochs=4, learning_rate=4e-3)),
    expressions=Expressions(Schedule(epochs=10, learning_rate=4e-3)),
    augmentation=Augmentation(strength=0.25), batch_size=32, weight_decay=0.02)
RESNET = TrainedBackbone("resnet_stills", replace(TRAINING, backbone="tiny_resnet@random"), STILLS)
MOBILENET = TrainedBackbone("mobilenet_stills", replace(TRAINING, backbone="tiny_mobilenet@random"), STILLS)
TRAINED = (RESNET, MOBILENET)
NAMES = tuple(backbone.name for backbone in TRAINED)
