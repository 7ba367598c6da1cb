"""Graph models of TensorFlow.js."""

import hashlib
import itertools
import json

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import backbones
from backbones import BackboneError, ImportOptions
from backbones.importing.tfjs_weights import read_tfjs
from backbones.regular_files import hash_file
from tests.helpers.tfjs_models import conv, image, ints, node, text, write_tfjs

RANDOM = np.random.default_rng(0)
OPTIONS = ImportOptions(like="vggface2")
UNNAMED = ImportOptions(like="vggface2", classes=("none",))


def weights(*shape):
    return RANDOM.normal(size=shape).astype(np.float32)


KERNEL, BIAS, DEPTHWISE, SCALE = weights(3, 3, 3, 4), weights(4), weights(3, 3, 4, 2), weights(8)
DENSE, DENSE_BIAS, LAST, LAST_BIAS = weights(8, 6), weights(6), weights(6, 7), weights(7)
MOBILENET = [
    image(),
    conv("conv", "Conv2D", "input", "kernel", stride=2),
    node("bias", "Add", "conv", "bias_values"),
    node("relu", "Relu", "bias"),
    node("minimum", "Minimum", "relu", "six"),
    conv("depthwise", "DepthwiseConv2dNative", "minimum", "depthwise_kernel", padding="SAME"),
    node("scaled", "Mul", "depthwise", "scale"),
    node("relu6", "Relu6", "scaled"),
    node("pool", "Mean", "relu6", "axes", keep_dims={"b": False}),
    conv("feats", "_FusedMatMul", "pool", "dense", "dense_bias", fused=("BiasAdd", "Relu")),
    node("logits", "MatMul", "feats", "last"),
    node("biased", "BiasAdd", "logits", "last_bias"),
    node("emotion", "Softmax", "biased"),
]
VALUES = {
    "kernel": KERNEL,
    "bias_values": BIAS,
    "six": np.array(6, np.float32),
    "depthwise_kernel": DEPTHWISE,
    "scale": SCALE,
    "axes": np.array([1, 2]),
    "dense": DENSE,
    "dense_bias": DENSE_BIAS,
    "last": LAST,
    "last_bias": LAST_BIAS,
}


def mobilenet(pixels):
    """The same in torch: crops [N, 3, 8, 8] to the outputs `pool` and `emotion`."""
    tensors = {name: torch.from_numpy(values) for name, values in VALUES.items()}
    x = F.conv2d(F.pad(pixels, (0, 1, 0, 1)), tensors["kernel"].permute(3, 2, 0, 1), stride=2)
    x = (x + tensors["bias_values"].reshape(1, 4, 1, 1)).relu().clamp(max=6)
    x = F.conv2d(x, tensors["depthwise_kernel"].permute(2, 3, 0, 1).reshape(8, 1, 3, 3), padding=1, groups=4)
    x = (x * tensors["scale"].reshape(1, 8, 1, 1)).clamp(0, 6).mean((2, 3))
    hidden = (x @ tensors["dense"] + tensors["dense_bias"]).relu()
    return x, (hidden @ tensors["last"] + tensors["last_bias"]).softmax(1)


def test_network_matches_torch(tmp_path):
    path = write_tfjs(tmp_path / "net", MOBILENET, VALUES, ["pool", "emotion"])
    options = ImportOptions(like="vggface2", classes=("neutral", "happy", "sad", "angry", "fearful", "disgusted", "x"))
    folder = backbones.import_file(path, "mine", tmp_path / "entries", options=options)
    pixels = torch.randn(3, 3, 8, 8)
    for given, expected in zip(backbones.load("mine", tmp_path / "entries")(pixels), mobilenet(pixels.flip(1))):
        torch.testing.assert_close(given, expected, rtol=1e-4, atol=1e-5)
    card = backbones.read_card(folder)
    assert card["file_format"] == "TensorFlow.js graph" and card["classes"][1] == "Happiness"
    assert card["macs"] == 16 * 4 * 27 + 16 * 8 * 9 + 48 + 42
    assert backbones.import_file(path, "mine", tmp_path / "entries", options=options) == folder


def test_tensor_within_the_graph_is_the_embedding(tmp_path):
    """Nodes behind it, even ones that cannot be converted, are left out."""
    nodes = [*MOBILENET, node("odd", "ResizeBilinear", "relu6")]
    path = write_tfjs(tmp_path / "net", nodes, VALUES, ["pool"])
    for name, width in (("pool", 8), ("feats", 6), ("minimum", 4)):
        options = ImportOptions(like="vggface2", embedding=name, scores="none")
        card = backbones.read_card(backbones.import_file(path, name, tmp_path / "entries", options=options))
        assert (card["embedding_width"], card["score_width"]) == (width, 0)


@pytest.mark.parametrize(
    "stored, quantization, tolerance",
    [
        (np.uint8, {"dtype": "uint8", "scale": 0.04, "min": -5.0}, 0.03),
        (np.uint16, {"dtype": "uint16", "scale": 2e-4, "min": -6.0}, 2e-4),
        (np.float16, {"dtype": "float16", "original_dtype": "float32"}, 2e-3),
    ],
)
def test_quantized_weights(stored, quantization, tolerance, tmp_path):
    scale, low = quantization.get("scale", 1.0), quantization.get("min", 0.0)
    levels = (KERNEL - low) / scale
    kept = (np.rint(levels) if "scale" in quantization else levels).astype(stored)
    path = write_tfjs(tmp_path, MOBILENET, VALUES, ["pool"], {"kernel": (kept, {"quantization": quantization})})
    model = read_tfjs(path)
    assert model.weights["kernel"].dtype == np.float32 and model.outputs == ("pool",)
    np.testing.assert_allclose(model.weights["kernel"], KERNEL, atol=tolerance)
    np.testing.assert_array_equal(model.weights["last_bias"], LAST_BIAS)


def test_operators(tmp_path):
    """Layers that other networks have: explicit padding, pooling, normalization, branches and shapes."""
    explicit = (0, 0, 1, 0, 0, 1, 0, 0)
    nodes = [
        image(),
        node("padded", "Pad", "input", "pads"),
        conv("conv", "_FusedConv2D", "padded", "kernel", "bias_values", padding="VALID", fused=("BiasAdd", "Relu6")),
        node("normal", "FusedBatchNormV3", "conv", "gamma", "beta", "mean", "variance", epsilon={"f": 0.001}),
        conv("explicit", "Conv2D", "normal", "point", padding="EXPLICIT", explicit_paddings=ints(*explicit)),
        node("sliced", "MaxPool", "explicit", ksize=ints(1, 2, 2, 1), strides=ints(1, 2, 2, 1), padding=text("SAME")),
        node("averaged", "AvgPool", "explicit", ksize=ints(1, 3, 3, 1), strides=ints(1, 2, 2, 1), padding=text("SAME")),
        node("joined", "ConcatV2", "sliced", "averaged", "axis"),
        node("kept", "Mean", "joined", "axes", keep_dims={"b": True}),
        node("gate", "Sigmoid", "kept"),
        node("product", "Mul", "joined", "gate"),
        node("dims", "Shape", "product"),
        node("count", "StridedSlice", "dims"),
        node("shape", "Pack", "count", "length"),
        node("flat", "Reshape", "product", "shape"),
        node("squeezed", "Squeeze", "kept", squeeze_dims=ints(1, 2)),
        node("both", "ConcatV2", "flat", "squeezed", "last_axis"),
        node("output", "Identity", "both"),
    ]
    point = weights(1, 1, 4, 2)
    normal = {"gamma": weights(4), "beta": weights(4), "mean": weights(4), "variance": np.abs(weights(4)) + 0.5}
    values = {
        "pads": np.array([[0, 0], [1, 0], [0, 1], [0, 0]]),
        "kernel": KERNEL,
        "bias_values": BIAS,
        "point": point,
        "axis": np.array(3),
        "last_axis": np.array(-1),
        "axes": np.array([1, 2]),
        "length": np.array(4 * 4 * 4),
        **normal,
    }
    path = write_tfjs(tmp_path / "net", nodes, values, ["output"])
    options = ImportOptions(like="vggface2", channels="rgb", embedding="output", scores="none")
    backbones.import_file(path, "mine", tmp_path / "entries", options=options)
    pixels = torch.randn(2, 3, 8, 8)
    x = F.conv2d(F.pad(pixels, (0, 1, 1, 0)), torch.from_numpy(KERNEL).permute(3, 2, 0, 1), torch.from_numpy(BIAS))
    gamma, beta, mean, variance = map(torch.from_numpy, normal.values())
    x = F.batch_norm(x.clamp(0, 6), mean, variance, gamma, beta, eps=1e-3)
    x = F.conv2d(F.pad(x, (0, 1, 1, 0)), torch.from_numpy(point).permute(3, 2, 0, 1))
    assert x.shape[2:] == (8, 8)
    divisor = F.avg_pool2d(F.pad(torch.ones(1, 1, 8, 8), (0, 1, 0, 1)), 3, 2)
    averaged = F.avg_pool2d(F.pad(x, (0, 1, 0, 1)), 3, 2) / divisor
    joined = torch.cat([F.max_pool2d(x, 2), averaged], dim=1)
    kept = joined.mean((2, 3))
    product = joined * kept.sigmoid()[:, :, None, None]
    expected = torch.cat([product.permute(0, 2, 3, 1).flatten(1), kept], dim=1)
    given = backbones.load("mine", tmp_path / "entries")(pixels)[0]
    torch.testing.assert_close(given, expected, rtol=1e-4, atol=1e-4)


def changed(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_files_of_weights_are_part_of_the_hash(tmp_path):
    files, cards = {}, {}
    for name, last in (("one", LAST), ("two", LAST + 1)):
        path = write_tfjs(tmp_path / name, MOBILENET, {**VALUES, "last": last}, ["pool", "emotion"])
        files[name] = [path.with_name(file).read_bytes() for file in ("model.json", "a.bin", "b.bin")]
        cards[name] = backbones.read_card(backbones.import_file(path, name, tmp_path / "entries", options=UNNAMED))
        assert cards[name]["file_sha256"] == hashlib.sha256(b"".join(files[name])).hexdigest()
    assert files["one"][0] == files["two"][0] and cards["one"]["file_sha256"] != cards["two"]["file_sha256"]
    with pytest.raises(BackboneError, match="'one' already exists in .* with different weights hash"):
        backbones.import_file(tmp_path / "two" / "model.json", "one", tmp_path / "entries", options=UNNAMED)


def test_entries_with_the_former_hash_are_found(tmp_path):
    path = write_tfjs(tmp_path / "net", MOBILENET, VALUES, ["pool", "emotion"])
    folder = backbones.import_file(path, "mine", tmp_path / "entries", options=UNNAMED)
    changed(folder / "card.json", lambda card: card.update(file_sha256=hash_file(path)))
    again = backbones.import_file(path, "mine", tmp_path / "entries", options=UNNAMED)
    assert again == folder and backbones.read_card(folder)["file_sha256"] == hash_file(path)
    assert backbones.load("mine", tmp_path / "entries").score_width == 7


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda c: c.update(format="layers-model"), "a TensorFlow.js layers model.*--output_format tfjs_graph_model"),
        (lambda c: c.pop("weightsManifest"), "is not a TensorFlow.js model; give its model.json"),
        (lambda c: c["modelTopology"]["node"].append({"op": "Relu"}), "is damaged"),
        (lambda c: c["modelTopology"]["node"][-1].update(op="NonMaxSuppressionV3"), "is a NonMaxSuppressionV3, an op"),
        (lambda c: c["modelTopology"]["node"][-1].update(input=["nothing"]), r"is damaged \('nothing'\)"),
        (lambda c: c["modelTopology"]["node"][-1].update(input=["biased:1"]), "takes the second output of a node"),
        (lambda c: c["modelTopology"]["node"][-2].update(input=["emotion"]), "is part of a loop"),
        (lambda c: c["modelTopology"]["node"][0].update(name="core"), r"is damaged \('kernel'\)"),
        (lambda c: c["weightsManifest"][0]["weights"][0].update(name="core"), "no values for the constant 'kernel'"),
        (lambda c: c["weightsManifest"][0]["weights"][0].update(dtype="string"), "'kernel' are string, which is not"),
        (lambda c: c["weightsManifest"][0]["weights"][0].update(shape=[-1]), "is damaged"),
        (lambda c: c["weightsManifest"][0].update(paths=["a.bin"]), "its files end before the weights"),
        (lambda c: c["weightsManifest"][0].update(paths=["none.bin"]), "none.bin, which model.json names: No such"),
        (lambda c: c["weightsManifest"][0].update(paths=["../a.bin"]), "file of weights outside its folder: ../a.bin"),
        (lambda c: c["weightsManifest"][0].update(paths=["/etc/passwd"]), "outside its folder: /etc/passwd"),
    ],
)
def test_invalid_models_raise(change, message, tmp_path):
    path = write_tfjs(tmp_path / "net", MOBILENET, VALUES, ["pool", "emotion"])
    changed(path, change)
    with pytest.raises(BackboneError, match=message) as error:
        backbones.import_file(path, "mine", tmp_path / "entries", options=OPTIONS)
    assert "\n" not in str(error.value) and not (tmp_path / "entries").exists()


def test_groups_that_repeat_a_large_file_are_refused(tmp_path, monkeypatch):
    path = write_tfjs(tmp_path / "net", MOBILENET, VALUES, ["pool", "emotion"])
    changed(path, lambda c: c["weightsManifest"].extend([{**c["weightsManifest"][0], "weights": []}] * 3))
    monkeypatch.setattr(
        "backbones.importing.tfjs_weights.MAX_WEIGHT_BYTES",
        sum(map(len, (file.read_bytes() for file in (tmp_path / "net").glob("*.bin")))),
    )
    with pytest.raises(BackboneError, match="which model.json names: the file has .* bytes; at most 0 are read"):
        read_tfjs(path)


@pytest.mark.parametrize(
    "content, message",
    [
        ('{"modelTopology": ', "is not valid JSON"),
        ('[{"weights": [], "paths": []}]', "lists weights without the graph that they belong to"),
        ("[1]", "is not a TensorFlow.js model"),
        ("{" * 100_000, "is not valid JSON"),
    ],
)
def test_other_json_files_raise(content, message, tmp_path):
    (tmp_path / "model.json").write_text(content)
    with pytest.raises(BackboneError, match=message):
        backbones.import_file(tmp_path / "model.json", "mine", tmp_path / "entries", options=OPTIONS)


def test_network_of_face_api_matches_torch(tmp_path):
    """Its file is a list of weights: blocks of convolutions whose outputs are added, then a linear layer."""
    random, channels = np.random.default_rng(1), (3, 4, 6, 5, 4)
    values = {}

    def add(name, *shape):
        values[name] = (random.normal(size=shape) / np.sqrt(max(np.prod(shape[:-1]), 1))).astype(np.float32)

    for block, (inputs, outputs) in enumerate(itertools.pairwise(channels)):
        for index in range(4):
            name, width = f"dense{block}/conv{index}", outputs if index else inputs
            if block or index:
                add(f"{name}/depthwise_filter", 3, 3, width, 1)
                add(f"{name}/pointwise_filter", 1, 1, width, outputs)
            else:
                add(f"{name}/filters", 3, 3, width, outputs)
            add(f"{name}/bias", outputs)
    add("fc/weights", 4, 7)
    add("fc/bias", 7)
    path = write_tfjs(tmp_path, [], values, [])
    path.write_text(json.dumps(json.loads(path.read_text())["weightsManifest"]))
    options = ImportOptions(
        mean=(122.782, 117.001, 104.298), std=(255,), value_range=(0, 255), channels="rgb", classes=("none",)
    )
    card = backbones.read_card(backbones.import_file(path, "mine", tmp_path / "entries", options=options))
    assert card["preprocessing"]["input_size"] == 112 and card["ports"]["scores"] == "logits"
    weights = {name: torch.from_numpy(array) for name, array in values.items()}

    def same(x, kernel, stride, groups=1):
        """TensorFlow's padding: one more pixel at the end than at the start if their number is odd."""
        return F.conv2d(F.pad(x, (0, 1, 0, 1) if stride == 2 else (1, 1, 1, 1)), kernel, stride=stride, groups=groups)

    def separable(x, name, stride=1):
        depthwise = weights[f"{name}/depthwise_filter"].permute(2, 3, 0, 1)
        x = same(x, depthwise, stride, groups=x.shape[1])
        return F.conv2d(x, weights[f"{name}/pointwise_filter"].permute(3, 2, 0, 1), weights[f"{name}/bias"])

    pixels = torch.randn(2, 3, 112, 112)
    x = pixels
    for block in range(4):
        first = f"dense{block}/conv0"
        if block:
            one = separable(x, first, 2).relu()
        else:
            kernel, bias = weights[f"{first}/filters"].permute(3, 2, 0, 1), weights[f"{first}/bias"]
            one = (same(x, kernel, 2) + bias.reshape(1, -1, 1, 1)).relu()
        two = separable(one, f"dense{block}/conv1")
        three = separable((one + two).relu(), f"dense{block}/conv2")
        four = separable((one + two + three).relu(), f"dense{block}/conv3")
        x = (one + two + three + four).relu()
    expected = F.avg_pool2d(x, 7, 2).flatten(1)
    embedding, scores = backbones.load("mine", tmp_path / "entries")(pixels)
    torch.testing.assert_close(embedding, expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(scores, expected @ weights["fc/weights"] + weights["fc/bias"], rtol=1e-4, atol=1e-5)
