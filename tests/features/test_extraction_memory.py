"""The memory of extraction does not grow with the dataset."""

import dataclasses
import weakref
from collections.abc import Mapping

import backbones
from harness.features.extraction import extract
from harness.features.store import FeatureStore
from tests.helpers.crop_folders import write_crops


class Lazily(Mapping):
    """Sequences made when asked for, as the reader of folders makes them; `alive` are those still in memory."""

    def __init__(self, sequences):
        self.sequences, self.alive = sequences, weakref.WeakSet()

    def __getitem__(self, name):
        sequence = dataclasses.replace(self.sequences[name])
        self.alive.add(sequence)
        return sequence

    def __iter__(self):
        return iter(self.sequences)

    def __len__(self):
        return len(self.sequences)


def test_paths_are_not_all_in_memory(tmp_path):
    crops, alive = write_crops(tmp_path / "set", {f"v{i}": range(1, 129) for i in range(10)}), []
    crops.sequences = Lazily(crops.sequences)
    extract(
        crops,
        backbones.load("tiny_mobilenet@random"),
        FeatureStore(tmp_path / "features"),
        threads=1,
        images="0" * 16,
        progress=lambda *_: alive.append(len(crops.sequences.alive)),
    )
    assert 2 <= max(alive) <= 6
