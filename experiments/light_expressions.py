"""Small backbone trained for expressions only; takes minutes on two cores, see light_both.

    framelight train-backbone light_expressions [--data DIR]

DIR is an image table with the column `expression`, AffectNet, or folders of expressions such as train/happy. To start
from the weights of light_identities, trained on the same or other images, add --set backbone=light_identities.
"""

from dataclasses import replace

from experiments.light_both import recipe as both

recipe = replace(both, name="light_expressions", training=replace(both.training, identities=None))
