"""Both layouts of VGG-16 face weights, and errors of other files.

Most states here are of expanded scalars: the right names and shapes, and no memory.
"""

import numpy as np
import pytest
import torch
from torchvision.models import vgg16

import backbones
from backbones import BackboneError, ImportOptions
from backbones.importing.vggface_files import build_vggface, is_vggface

CONVOLUTIONS = {
    "conv1_1": 0,
    "conv1_2": 2,
    "conv2_1": 5,
    "conv2_2": 7,
    "conv3_1": 10,
    "conv3_2": 12,
    "conv3_3": 14,
    "conv4_1": 17,
    "conv4_2": 19,
    "conv4_3": 21,
    "conv5_1": 24,
    "conv5_2": 26,
    "conv5_3": 28,
}
DAG = {f"features.{number}": name for name, number in CONVOLUTIONS.items()} | {
    "classifier.0": "fc6",
    "classifier.3": "fc7",
    "classifier.6": "fc8",
}
"""torchvision's layer names -> those of vgg_face_dag."""


def dag(state):
    return {f"{DAG[name.rpartition('.')[0]]}.{name.rpartition('.')[2]}": tensor for name, tensor in state.items()}


def flat(classes=2622, **changes):
    """A torchvision state of the right names and shapes, every tensor one number expanded; `changes` replace some."""
    with torch.device("meta"):
        shapes = {name: tensor.shape for name, tensor in vgg16(num_classes=classes).state_dict().items()}
    state = {name: torch.full((1,), 1e-3).expand(shape) for name, shape in shapes.items()}
    return {name: tensor for name, tensor in (state | changes).items() if tensor is not None}


@pytest.fixture(scope="module")
def original():
    torch.manual_seed(0)
    return vgg16(weights=None, init_weights=False, num_classes=5).eval()


@pytest.fixture(scope="module")
def file(original, tmp_path_factory):
    """Its state dict, in half precision, on disk."""
    path = tmp_path_factory.mktemp("vgg") / "faces.pth"
    torch.save({name: tensor.half() for name, tensor in original.state_dict().items()}, path)
    yield path
    path.unlink()


def test_torchvision_layout_outputs(original):
    state = original.state_dict()
    assert is_vggface(state)
    backbone = build_vggface(state, "faces.pth")
    pixels = torch.randn(1, 3, 224, 224) * 50
    with torch.inference_mode():
        embedding, scores = backbone(pixels)
        torch.testing.assert_close(scores, original(pixels), rtol=1e-5, atol=1e-6)
        before_last = original.classifier[:6](original.avgpool(original.features(pixels)).flatten(1))
        torch.testing.assert_close(embedding, before_last, rtol=1e-5, atol=1e-6)
    assert embedding.shape == (1, 4096) and backbone.score_labels == () and backbone.score_width == 5
    assert backbone.spec.preprocessing.mean == (129.186, 104.762, 93.594)
    assert backbone.spec.preprocessing.value_range == 255 and not backbone.training and backbone.trainable


def test_both_layouts_are_equal(original):
    state = original.state_dict()
    one, other = build_vggface(state, "a.pth"), build_vggface(dag(state), "b.pth")
    assert is_vggface(dag(state)) and set(one.network.state_dict()) == set(dag(state))
    theirs = other.network.state_dict()
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in one.network.state_dict().items())


def test_file_is_read_by_reference(original, file):
    backbone = backbones.load(f"vggface@{file}")
    assert backbone.weights == "file faces.pth" and backbone.score_width == 5 and not backbone.is_random
    theirs = original.state_dict()["classifier.6.weight"].half().float()
    np.testing.assert_array_equal(backbone.network.fc8.weight.detach(), theirs)
    assert backbone.reference == f"vggface@{file}"


def test_classes_name_the_columns():
    named = ImportOptions(classes=("anna", "berta", "carla"))
    assert build_vggface(flat(3), "a.pth", named).score_labels == ("anna", "berta", "carla")
    with pytest.raises(BackboneError, match="a.pth has a classifier with 2622 columns, but 2 class names were given"):
        build_vggface(flat(), "a.pth", ImportOptions(classes=("anna", "berta")))


def test_preprocessing_is_not_assumed(file, tmp_path):
    """torchvision's own weights, which want other pixels, have the same names."""
    with pytest.raises(BackboneError, match="VGG-16 network, but .*--architecture vggface; .*timm:vgg16@tv_in1k"):
        backbones.import_file(file, "mine", tmp_path)
    backbones.import_file(file, "mine", tmp_path, "vggface")
    assert backbones.load("mine", tmp_path).spec.preprocessing == backbones.spec("vggface").preprocessing


@pytest.mark.parametrize("layout", [lambda state: state, dag], ids=["torchvision", "dag"])
@pytest.mark.parametrize(
    "changes, wrong",
    [
        ({"features.28.bias": None}, {"features.28.bias": "absent in the file, 512 expected"}),
        ({"classifier.6.bias": None}, {"classifier.6.bias": "absent in the file, 2622 expected"}),
        ({"classifier.6.bias": torch.zeros(7)}, {"classifier.6.weight": "2622x4096 in the file, 7x4096 expected"}),
        (
            {"features.5.weight": torch.zeros(128, 64, 5, 5), "classifier.0.bias": torch.tensor(1.0)},
            {
                "features.5.weight": "128x64x5x5 in the file, 128x64x3x3 expected",
                "classifier.0.bias": "scalar in the file, 4096 expected",
            },
        ),
    ],
)
def test_mismatches_use_the_names_of_the_file(layout, changes, wrong):
    state = layout(flat(**changes))
    assert is_vggface(state)
    with pytest.raises(BackboneError) as error:
        build_vggface(state, "faces.pth")
    assert f"faces.pth does not contain the weights of a VGG-16 face network: {len(wrong)} tensor" in str(error.value)
    for name, how in wrong.items():
        layer, _, kind = name.rpartition(".")
        assert f"{name if layout is not dag else f'{DAG[layer]}.{kind}'}: {how}" in str(error.value)


def test_surplus_tensors_and_other_depths_are_named():
    with pytest.raises(BackboneError, match=r"1 tensor does not fit \(head.weight: 3 in the file, absent"):
        build_vggface(flat(**{"head.weight": torch.zeros(3)}), "faces.pth")
    with torch.device("meta"):
        from torchvision.models import vgg11

        state = vgg11().state_dict()
    assert is_vggface(state)
    with pytest.raises(BackboneError, match=r"vgg11.pth does not.*features.2.weight: absent.*supported layouts"):
        build_vggface(state, "vgg11.pth")


@pytest.mark.parametrize("names", [["conv_stem.weight", "classifier.weight"], ["features.0.0.weight"], []])
def test_other_vgg_networks_are_rejected(names):
    assert not is_vggface({name: torch.zeros(1) for name in names})


def test_other_files_are_rejected(tmp_path):
    with pytest.raises(BackboneError, match="none.pth"):
        backbones.load(f"vggface@{tmp_path / 'none.pth'}")
    torch.save({"fc6.weight": torch.arange(4.0), "fc6.bias": torch.zeros(1)}, tmp_path / "w.pth")
    with pytest.raises(BackboneError, match=r"w.pth does not contain .* VGG-16 face network.*conv1_1.weight: absent"):
        backbones.load(f"vggface@{tmp_path / 'w.pth'}")
    with pytest.raises(BackboneError, match="tiny_resnet is read from checkpoint folders"):
        backbones.load(f"tiny_resnet@{tmp_path / 'w.pth'}")
