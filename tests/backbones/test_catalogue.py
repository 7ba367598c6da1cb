"""Specifications, costs and references of the named backbones."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import backbones
from backbones import BackboneError, Preprocessing
from backbones.backbone import hash_weights
from backbones.cost import cost

ROOT = Path(__file__).resolve().parents[2]
WIDTHS = {
    "efficientnet_b0": (224, 1280),
    "efficientnet_b2": (260, 1408),
    "mobilenet_v1": (224, 1024),
    "mobilenet_v3": (224, 1280),
    "mobilenet_v4_small": (224, 1280),
    "mobilefacenet": (112, 512),
    "vggface": (224, 4096),
    "tiny_resnet": (64, 128),
    "tiny_mobilenet": (64, 128),
}


def test_listing_names_does_not_import_torch():
    script = "import sys, backbones; print(*backbones.names()); print('torch' in sys.modules, 'timm' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    names, loaded = result.stdout.splitlines()
    assert set(names.split()) == set(WIDTHS) and loaded == "False False"


@pytest.mark.parametrize("name", sorted(WIDTHS))
def test_description(name):
    shown = backbones.describe(name)
    assert (shown["input_size"], shown["embedding_width"]) == WIDTHS[name]
    assert shown["licence"] and shown["source"]
    assert shown["size_mb"] == pytest.approx(shown["parameters"] * 4e-6, rel=0.04)


def test_published_parameter_counts_and_macs():
    """VGG-16 with 2622 identities has 145,002,878 parameters; torchvision counts 15.47 G MACs for VGG-16."""
    face, light = backbones.describe("vggface"), backbones.describe("mobilenet_v4_small")
    assert face["parameters"] == 145_002_878 and face["score_width"] == 2622
    assert face["macs"] == pytest.approx(15.47e9, rel=0.002)
    assert light["macs"] == pytest.approx(0.19e9, rel=0.05)


def test_macs_by_hand():
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, stride=2, padding=1),  # 4 x 4 x 8 outputs, 27 products each
        torch.nn.Conv2d(8, 8, 3, padding=1, groups=8),  # 4 x 4 x 8 outputs, 9 products each
        torch.nn.Flatten(),
        torch.nn.Linear(128, 10),
    )  # 10 outputs, 128 products each
    spent = cost(network, 8)
    assert spent.macs == 128 * 27 + 128 * 9 + 10 * 128
    assert spent.parameters == 8 * 28 + 8 * 10 + 10 * 129 and spent.size_mb == round(spent.parameters * 4e-6, 3)


def test_random_weights_are_reproducible_without_side_effects():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    one = backbones.load("tiny_resnet")
    assert torch.rand(1) == expected
    assert one.is_random and one.weights == "random (seed 0)" and "random" in one.label and not one.training
    assert one.weights_hash == backbones.load("tiny_resnet@random").weights_hash
    assert one.weights_hash != backbones.build("tiny_resnet", seed=1).weights_hash
    assert one.weights_hash != backbones.load("tiny_mobilenet").weights_hash


def test_backbone_returns_embeddings_and_scores():
    for name, size, width in (("tiny_resnet", 64, 128), ("mobilenet_v3@random", 224, 1280)):
        network = backbones.load(name)
        pixels = torch.randn(2, 3, size, size)
        with torch.inference_mode():
            embeddings, scores = network(pixels)
            torch.testing.assert_close(scores, network.network(pixels))
        assert embeddings.shape == (2, width) and scores.shape == (2, 8)
        assert network.embedding_width == width and network.score_labels == backbones.AFFECTNET


def test_any_timm_model():
    network = backbones.load("timm:resnet10t@random")
    assert network.embedding_width == 512 and network.spec.preprocessing.input_size == 176
    with pytest.raises(BackboneError, match="did you mean.* resnet18"):
        backbones.load("timm:resnt18")


def test_training_changes_the_hash():
    network = backbones.build("tiny_mobilenet", ("anna", "berta", "carla"), seed=3)
    before = network.weights_hash
    network.train()
    embeddings, scores = network(torch.randn(8, 3, 64, 64))
    assert scores.shape == (8, 3)
    scores.square().mean().backward()
    torch.optim.SGD(network.parameters(), 0.1).step()
    network.eval()
    assert network.weights_hash != before == backbones.build("tiny_mobilenet", ("anna", "b", "c"), 3).weights_hash
    network.set_classes(("yes", "no"))
    assert network(torch.randn(1, 3, 64, 64))[1].shape == (1, 2)
    assert network.score_labels == ("yes", "no") and network.score_width == 2


@pytest.mark.parametrize(
    "reference, message",
    [
        ("efficientnet_bo", "did you mean efficientnet_b"),
        ("tiny_resnet@randm", "did you mean random"),
        ("vggface@pretrained", "vggface@random"),
        ("efficientnet_b0@ns_jft", "ns_jft_in1k"),
        ("tiny_resnet@./nowhere/at_all", "no checkpoint at"),
        ("", "unknown backbone"),
    ],
)
def test_invalid_references_raise(reference, message):
    with pytest.raises(BackboneError, match=message):
        backbones.load(reference)


def test_unreachable_hub_raises_immediately(monkeypatch, tmp_path):
    import timm  # noqa: F401  (its import is not what is timed)

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    start = time.monotonic()
    with pytest.raises(BackboneError, match="use NAME@random"):
        backbones.load("mobilenet_v4_small")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(BackboneError, match="HF_HUB_OFFLINE"):
        backbones.load("mobilenet_v3@pretrained")
    assert time.monotonic() - start < 60


def test_get_info_agrees_with_load_and_then_needs_no_torch(tmp_path):
    cache = tmp_path / "hashes.json"
    assert backbones.get_info("tiny_resnet", None, cache) == backbones.load("tiny_resnet").info()
    script = (
        "import sys, pathlib, backbones; i = backbones.get_info('tiny_resnet', None, pathlib.Path(sys.argv[1]));"
        "print(i.weights_hash, i.macs, 'torch' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", script, cache], cwd=ROOT, capture_output=True, text=True, check=True)
    info = backbones.load("tiny_resnet").info()
    assert result.stdout.split() == [info.weights_hash, str(info.macs), "False"]
    cache.write_text("{half a file")
    assert backbones.get_info("tiny_resnet", None, cache) == info


def test_prepare_applies_the_spec():
    image = np.random.default_rng(0).integers(0, 256, (112, 96, 3), dtype=np.uint8)
    for name in ("efficientnet_b0", "vggface", "tiny_resnet", "mobilenet_v1"):
        given = backbones.spec(name).preprocessing
        size = given.input_size
        resized = np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR), np.float64)
        expected = (resized / 255 * given.value_range - given.mean) / given.std
        pixels = backbones.prepare(image, backbones.spec(name))
        assert pixels.shape == (3, size, size) and pixels.dtype == np.float32
        np.testing.assert_allclose(pixels, expected.transpose(2, 0, 1), atol=3e-5, rtol=1e-5)


def test_vggface_subtracts_its_mean_from_0_to_255():
    grey = np.full((224, 224, 3), 130, np.uint8)
    np.testing.assert_allclose(
        backbones.prepare(grey, backbones.spec("vggface"))[:, 5, 7],
        [130 - 129.186, 130 - 104.762, 130 - 93.594],
        atol=1e-4,
    )


def test_invalid_preprocessing_raises():
    with pytest.raises(BackboneError, match="bicubic"):
        Preprocessing(64, "cubic")
    with pytest.raises(BackboneError, match="square"):
        Preprocessing(64, resize="crop")


def test_hash_depends_on_names_shapes_types_and_values():
    base = {"a": torch.arange(6.0).reshape(2, 3)}
    others = [{"b": base["a"]}, {"a": base["a"].reshape(3, 2)}, {"a": base["a"].double()}, {"a": base["a"] + 1}]
    assert len({hash_weights(state) for state in [base, *others]}) == 5
    assert hash_weights({"a": base["a"].T.contiguous().T}) == hash_weights(base)


@pytest.mark.benchmark
@pytest.mark.parametrize("name", ["tiny_resnet", "tiny_mobilenet"])
def test_small_networks_train_fast(name):
    network = backbones.build(name).to(memory_format=torch.channels_last).train()
    pixels = torch.rand(128, 3, 64, 64).contiguous(memory_format=torch.channels_last)
    times = []
    for _ in range(10):
        start = time.perf_counter()
        network(pixels)[1].square().mean().backward()
        times.append(time.perf_counter() - start)
    assert 128 / min(times) > 1000
