import pytest

import backbones

CLASSES = ("Neutral", "Anger", "Other")


@pytest.fixture
def saved(tmp_path):
    """A trained entry called `mine` in tmp_path, and its parent backbone."""
    network = backbones.build("tiny_mobilenet", CLASSES, seed=4)
    backbones.save_checkpoint(
        tmp_path / "mine-0123",
        network,
        {"name": "mine", "data": "stills", "data_digest": "abc", "metrics": {"macro_f1": 0.5}, "parent": None},
    )
    return tmp_path, network
