"""Inference on images and videos: face detection, tracking, prediction and smoothing."""
