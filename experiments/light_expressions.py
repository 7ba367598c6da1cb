"""Expressions only, on a network that two cores train in minutes; see light_both.

    framelight train-backbone light_expressions [--data DIR]

DIR is an image table with the column `expression`, or AffectNet. --set backbone=light_identities starts from what that
recipe has learned, on these or on other images.
"""

from dataclasses import replace

from experiments.light_both import recipe as both

recipe = replace(both, name="light_expressions", training=replace(both.training, identities=None))
