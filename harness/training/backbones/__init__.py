"""Training of backbones on still images: identities first, then expressions."""
