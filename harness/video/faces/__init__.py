"""Faces in frames: found, followed from frame to frame and cut out as the crops that runs learned from."""
