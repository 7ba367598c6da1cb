"""Quick trainings on drawn images."""

import dataclasses

import backbones
from harness import Augmentation, Expressions, Hardware, Identities, Schedule, StillsConfig
from harness.data.image_table import ImageTable
from harness.training.backbones.train import train_stills

QUICK = StillsConfig(
    "tiny_mobilenet@random",
    Identities(Schedule(10)),
    Expressions(Schedule(8), held_out=0.25),
    Augmentation(0.0, flip=False),
    batch_size=8,
    threads=1,
)
SHORT = dataclasses.replace(QUICK, identities=Identities(Schedule(1)), expressions=Expressions(Schedule(1)))
CPU = Hardware("cpu")


def expressions(**fields):
    return dataclasses.replace(SHORT, identities=None, expressions=Expressions(**{"schedule": Schedule(1), **fields}))


def train(table, folder, config=QUICK, **options):
    return train_stills(
        config, table.stills("train"), table.stills("validation"), folder, **{"hardware": CPU, **options}
    )


def weights(trained):
    return backbones.read_card(trained.folder)["weights_hash"]


def relabelled(root, change):
    lines = (root / "labels.csv").read_text().splitlines()
    (root / "labels.csv").write_text("\n".join([lines[0], *(change(line.split(",")) for line in lines[1:])]) + "\n")
    return ImageTable(root)
