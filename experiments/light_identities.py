"""Small backbone trained for identities only; takes minutes on two cores, see light_both.

    framelight train-backbone light_identities [--data DIR]

DIR is an image table with the column `subject`, or contains train/<identity>/*.jpg.
"""

from dataclasses import replace

from experiments.light_both import recipe as both

recipe = replace(both, name="light_identities", training=replace(both.training, expressions=None))
