"""Detect faces in frames, track them over time and cut out crops like those that runs were trained on."""
