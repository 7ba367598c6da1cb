"""Identities only, on a network that two cores train in minutes; see light_both.

    framelight train-backbone light_identities [--data DIR]

DIR is an image table with the column `subject`, or holds train/<identity>/*.jpg.
"""

from dataclasses import replace

from experiments.light_both import recipe as both

recipe = replace(both, name="light_identities", training=replace(both.training, expressions=None))
