import pytest
import torch

import backbones
from tests.helpers.published_releases import Releases
from tests.helpers.shared_builds import session_folder

CLASSES = ("Anger", "Joy", "Rest")


@pytest.fixture(scope="session")
def releases(tmp_path_factory):
    folder = session_folder(tmp_path_factory) / "releases"
    folder.mkdir(exist_ok=True)
    return Releases(folder)


@pytest.fixture
def tiny():
    """A tiny network with the statistics of a trained one."""
    network = backbones.build("tiny_mobilenet", CLASSES, seed=4)
    with torch.no_grad():
        for name, tensor in network.network.state_dict().items():
            if tensor.is_floating_point():
                tensor.add_(0.1 * torch.rand(tensor.shape, generator=torch.Generator().manual_seed(len(name))))
    return network


@pytest.fixture
def state(tiny):
    return tiny.network.state_dict()


@pytest.fixture
def entries(tmp_path):
    return tmp_path / "entries"


@pytest.fixture
def marker(tmp_path):
    """A file that the code in a hostile file creates."""
    return tmp_path / "it was run"
