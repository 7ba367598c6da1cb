"""Detect faces in frames, track them over time and crop them with the margin of the training crops."""
