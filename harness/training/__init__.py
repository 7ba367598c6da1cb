"""Fitting: the Lightning module, its losses and what Lightning does not have (SAM, averaged weights)."""
