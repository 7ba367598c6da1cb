import pytest
import torch
from torch import nn

import backbones
from backbones import BackboneSpec, Preprocessing
from backbones.backbone import Backbone
from backbones.engines.selection import open_engine
from backbones.importing.onnx_files import import_onnx
from tests.helpers.onnx_imports import HSEMOTION
from tests.helpers.onnx_models import pooled

WIDTH = 32


class Small(nn.Module):
    """Two layers that speak timm's protocol: quick to export."""

    def __init__(self, classes):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 16, 3, 2), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, WIDTH, 3))
        self.classifier = nn.Linear(WIDTH, classes) if classes else nn.Identity()

    def forward_features(self, x):
        return self.body(x)

    def forward_head(self, x, pre_logits=False):
        return x.mean(dim=(2, 3)) if pre_logits else self.classifier(x.mean(dim=(2, 3)))

    def get_classifier(self):
        return self.classifier

    def forward(self, x):
        return self.forward_head(self.forward_features(x))


def small(seed=0, labels=backbones.AFFECTNET):
    """16 x 16, embedding of WIDTH, a score for each label; 137,000 multiply-accumulates."""
    spec = BackboneSpec("small", "tests:Small", Preprocessing(16), labels, "", "", score_width=len(labels))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Small(len(labels))
    return Backbone(network, spec, f"random (seed {seed})", "small@random", "small", labels, True).eval()


@pytest.fixture(scope="package")
def backbone():
    return small()


@pytest.fixture
def make():
    """small(seed, labels) -> another such backbone."""
    return small


@pytest.fixture(scope="package")
def cache(backbone, tmp_path_factory):
    """A folder in which the backbone has been exported."""
    folder = tmp_path_factory.mktemp("engines")
    open_engine("onnxruntime", backbone, folder, 4)
    return folder


@pytest.fixture(scope="package")
def foreign(tmp_path_factory):
    """A backbone that came as an ONNX file: 8 x 8, any number of crops."""
    folder = tmp_path_factory.mktemp("foreign")
    import_onnx(pooled(folder / "m.onnx", {"scores": 8, "embedding": 32}), "mine", folder, HSEMOTION)
    return backbones.load("mine", folder)
