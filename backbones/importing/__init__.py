"""Import weights files as backbones, which are saved as checkpoint folders; no code in a file is ever executed."""
