"""The two light backbones that recipes train on built-in stills, so that nothing needs a download."""

from harness.pretraining.config import StillsConfig
from harness.recipes import SyntheticStills, TrainedBackbone

STILLS = SyntheticStills(images=3000, identities=120)
RESNET = TrainedBackbone("resnet_stills", StillsConfig("tiny_resnet@random"), STILLS)
MOBILENET = TrainedBackbone("mobilenet_stills", StillsConfig("tiny_mobilenet@random"), STILLS)
TRAINED = (RESNET, MOBILENET)
NAMES = tuple(backbone.name for backbone in TRAINED)
