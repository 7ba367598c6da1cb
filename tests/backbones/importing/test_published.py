"""Networks pickled by old releases of the libraries reproduce their original outputs."""

import hashlib

import numpy as np
import pytest
import torch

import backbones
from backbones import AFFECTNET, BackboneError
from tests.helpers.onnx_imports import HSEMOTION
from tests.helpers.published_releases import computed
from tests.helpers.release_writer import pictures

SEVEN = tuple(name for name in AFFECTNET if name != "Contempt")
AFFECT = (*AFFECTNET, "Valence", "Arousal")
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


@pytest.fixture
def imported(tmp_path):
    """Imports a file as `mine` into tmp_path/entries and loads the entry."""

    def imported(path, **options):
        folder = backbones.import_file(path, "mine", tmp_path / "entries", options=HSEMOTION, **options)
        assert folder == tmp_path / "entries" / "mine"
        return backbones.load("mine", tmp_path / "entries")

    return imported


def assert_same(network, path):
    """The imported network reproduces the outputs recorded by the release that wrote the file."""
    expected, size = computed(path), network.spec.input_size
    with torch.inference_mode():
        embedding, scores = network(pictures(size))
    assert np.ptp(expected["scores"]) > 1e-3
    np.testing.assert_allclose(embedding.numpy(), expected["embedding"], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(scores.numpy(), expected["scores"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "release, file, size, architecture, labels",
    [
        ("timm==0.4.5", "enet_b0_8.pt", 224, "efficientnet_b0", AFFECTNET),
        pytest.param("timm==0.4.12", "enet_b0_8_va_mtl.pt", 224, "efficientnet_b0", AFFECT, marks=pytest.mark.slow),
        ("timm==0.4.5", "mobilenet.pt", 224, "mobilenet_v3", ()),
        pytest.param("timm==0.6.13", "enet_b2_7.pt", 260, "efficientnet_b2", SEVEN, marks=pytest.mark.slow),
        pytest.param("timm==0.6.13", "padded.pt", 224, "timm:efficientnet_b0", AFFECTNET, marks=pytest.mark.slow),
        pytest.param("timm==0.9.16", "enet_b2_8.pt", 260, "efficientnet_b2", AFFECTNET, marks=pytest.mark.slow),
        pytest.param("timm==0.9.16", "vit_8.pt", 224, "timm:vit_tiny_patch16_224", AFFECTNET, marks=pytest.mark.slow),
        pytest.param(
            "timm==0.9.16", "mobilevit_va_mtl.pt", 224, "timm:mobilevitv2_150", AFFECT, marks=pytest.mark.slow
        ),
        ("timm", "enet_b0_7_va.pt", 224, "efficientnet_b0", (*SEVEN, "Valence", "Arousal")),
    ],
)
def test_whole_networks_of_timm(releases, imported, release, file, size, architecture, labels):
    path = releases.file(release, file)
    network = imported(path)
    given = network.spec.preprocessing
    assert (network.spec.name, network.score_labels) == (architecture, labels)
    assert (given.input_size, given.interpolation, given.resize) == (size, "bilinear", "square")
    assert (given.mean, given.std) == IMAGENET
    assert_same(network, path)


@pytest.mark.parametrize("file", ["mbf_va_mtl.pt", "mbf_sequential.pt"])
def test_mobilefacenet_of_emotiefflib(releases, imported, file):
    path = releases.file("emotiefflib==1.1.1", file)
    network = imported(path)
    given = network.spec.preprocessing
    assert (network.spec.name, network.score_labels, network.embedding_width) == ("mobilefacenet", AFFECT, 512)
    assert (given.input_size, given.mean, given.std) == (112, *HALF)
    assert network.info().parameters == 2_064_650
    assert_same(network, path)


def test_legacy_pickled_network_raises_with_hint(releases, imported):
    with pytest.raises(
        BackboneError,
        match=r"before torch 1.6; load it with the versions that wrote it and save its "
        r"state dict: torch.save\(model.state_dict\(\), FILE\)",
    ):
        imported(releases.file("timm", "small.legacy"))


def test_card_has_the_source(releases, imported, tmp_path):
    path = releases.file("timm==0.4.5", "enet_b0_8.pt")
    imported(path)
    card = backbones.read_card(tmp_path / "entries" / "mine")
    assert card["imported_from"] == "enet_b0_8.pt" and card["licence"] == "unknown"
    assert card["file_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert card["file_format"] == "torch module timm.models.efficientnet.EfficientNet"


def test_layer_settings_decide_between_equal_tensors(releases, imported):
    """EfficientNet-B0 with TensorFlow's padding has the same tensors as the one without."""
    with pytest.raises(
        BackboneError, match="has the tensors of efficientnet_b0 but different layer settings: conv_stem"
    ):
        imported(releases.file("timm", "padded.pt"), architecture="tf_efficientnet_b0")


def test_other_pooling_is_rejected(releases, imported):
    with pytest.raises(BackboneError, match="global_pool has pool_type max where avg is expected"):
        imported(releases.file("timm", "pooled.pt"))


def test_classifier_with_softmax_is_rejected(releases, imported):
    with pytest.raises(BackboneError, match="classifier of .* contains a Softmax"):
        imported(releases.file("timm", "softmax.pt"))


def test_wrong_architecture_lists_first_mismatches(releases, imported, tmp_path):
    path = releases.file("timm", "small.pt")
    with pytest.raises(
        BackboneError,
        match=r"weights of mobilenet_v3: \d+ tensors do not fit \(conv_stem.weight: "
        "32x3x3x3 in the file, 16x3x3x3 expected; bn1.weight",
    ):
        imported(path, architecture="mobilenet_v3")
    with pytest.raises(BackboneError, match="unknown architecture 'mobilenet_v9'; did you mean mobilenet"):
        imported(path, architecture="mobilenet_v9")
    with pytest.raises(BackboneError, match="classifier with 8 columns, but 2 class names were given"):
        imported(path, classes=("yes", "no"))
    assert not (tmp_path / "entries").exists()
