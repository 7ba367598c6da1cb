"""Training of heads and backbones: the Lightning module, losses, SAM and averaged weights."""
