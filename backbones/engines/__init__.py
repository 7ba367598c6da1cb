"""Inference engines that run the forward pass of a backbone, and the selection of the fastest."""
