"""Files for mobile runtimes reproduce torch on the same crops."""

from importlib.util import find_spec

import numpy as np
import pytest
import torch
from PIL import Image

import backbones
from backbones.resizing import resize_batch
from harness.export.formats import format_named, require_writer
from harness.export.network import torch_module, with_random_head
from harness.metrics.tasks import TASKS
from harness.utils.errors import FramelightError, InputError
from tests.helpers.onnx_models import pooled

PHONES = {"litert": "litert_torch", "executorch": "executorch"}
NOT_HERE = "is not installed here: pip install 'framelight[deploy]'"
SMALLER = {"float32": (0.9, 1.3), "float16": (0.4, 0.75), "int8": (0.2, 0.6)}
"""Sizes of files, in bytes of float32 weights."""


@pytest.fixture(scope="module", params=sorted(PHONES))
def form(request):
    if not find_spec(PHONES[request.param]):
        pytest.skip(f"{request.param} {NOT_HERE}")
    return require_writer(request.param)


@pytest.fixture(scope="module")
def network():
    """A linear head for the three outputs of MTL on a small backbone."""
    return with_random_head(backbones.load("tiny_mobilenet@random"), TASKS["mtl"])


@pytest.fixture(scope="module")
def crops(network, small_set):
    paths = sorted(small_set.rglob("*.jpg"))[::11][:40]
    return resize_batch(
        [np.asarray(Image.open(path).convert("RGB")) for path in paths], network.backbone.spec.preprocessing
    )


@pytest.fixture(scope="module")
def expected(network, crops):
    with torch.no_grad():
        outputs, embedding = torch_module(network, embedding=True)(torch.from_numpy(crops))
    return {"outputs": outputs.numpy(), "embedding": embedding.numpy()}


@pytest.fixture(scope="module")
def written(form, network, crops, tmp_path_factory):
    """Path by precision."""
    folder = tmp_path_factory.mktemp(form.name)
    return {
        precision: form.write(network, folder, precision, crops[::2], embedding=True) for precision in form.precisions
    }


def test_file_matches_torch(form, written, crops, expected):
    given = form.open(written["float32"])(crops)
    assert set(given) == {"outputs", "embedding"}
    for name, values in given.items():
        assert values.dtype == np.float32 and values.shape == expected[name].shape
        np.testing.assert_allclose(values, expected[name], atol=1e-5)


def test_reduced_precision_file_is_smaller_and_close(form, network, written, crops, expected):
    weights = network.cost.size_mb * 1e6
    spread = expected["embedding"].std(axis=0).mean()
    for precision, path in written.items():
        least, most = SMALLER[precision]
        assert path.name == f"model-{precision}{form.suffix}" and form.parts(path) == (path,)
        assert least < path.stat().st_size / weights < most, precision
        given = form.open(path, 2)(crops)
        assert np.abs(given["outputs"] - expected["outputs"]).max() < 0.02, precision
        away = np.abs(given["embedding"] - expected["embedding"]).mean() / spread
        assert away < (0.3 if precision == "int8" else 0.01), precision
        assert (away > 5e-3) == (precision == "int8"), precision


def test_crops_of_another_size_raise(form, written):
    model = form.open(written["float32"])
    with pytest.raises(FramelightError, match=r"takes crops of 64 x 64 pixels, not \[1, 112, 112, 3\]"):
        model(np.zeros((1, 112, 112, 3), np.uint8))
    assert not form.any_size(None)


def test_invalid_file_raises(form, tmp_path):
    path = tmp_path / f"model{form.suffix}"
    path.write_bytes(b"nothing of the kind" * 20)
    with pytest.raises(FramelightError, match="cannot open .*export it again"):
        form.open(path)


def test_imported_onnx_backbone_is_rejected(form, tmp_path):
    backbones.import_file(
        pooled(tmp_path / "in" / "mean.onnx", {"features": 4, "logits": 8}),
        "mean",
        tmp_path / "store",
        options=backbones.ImportOptions(like="hsemotion"),
    )
    network = with_random_head(backbones.load("mean", tmp_path / "store"), TASKS["va"])
    with pytest.raises(InputError, match="was imported as an ONNX file.*--format onnx or openvino"):
        form.write(network, tmp_path, "float32", np.zeros((0, 8, 8, 3), np.uint8))


def test_writing_and_opening_print_nothing(form, network, crops, tmp_path, capfd):
    form.open(form.write(network, tmp_path, "float32", crops[:0]))(crops[:1])
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", sorted(PHONES))
def test_missing_packages_are_named(name):
    if find_spec(PHONES[name]):
        assert format_named(name).missing() == ""
        pytest.skip(f"{name} is installed here")
    with pytest.raises(InputError, match=f"format {name} cannot be written here .*: pip install .*deploy"):
        require_writer(name)
