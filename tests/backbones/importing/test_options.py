"""Options of an import: nothing that a file does not contain is assumed."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import backbones
from backbones import BackboneError, ImportOptions, Preprocessing
from backbones.importing.class_names import resolve_score_labels
from backbones.importing.options import resolve_format
from harness.data.leakage import scores_leak_targets
from harness.jobs.baselines import expression_columns
from tests.backbones.importing.conftest import CLASSES
from tests.helpers.onnx_models import timm_network

HERE = Path("w.pt")
STATED = {"mean": (1, 2, 3), "std": (4, 5, 6), "value_range": (0, 255), "channels": "rgb"}


@pytest.mark.parametrize("missing", STATED)
def test_missing_preprocessing_is_refused(missing):
    given = {key: value for key, value in STATED.items() if key != missing}
    name = {"value_range": "range"}.get(missing, missing)
    with pytest.raises(
        BackboneError, match=f"nothing is assumed: --{name} missing; .*--like imagenet.vggface2.hsemotion"
    ):
        resolve_format(ImportOptions(**given), HERE)
    with pytest.raises(BackboneError, match="--mean, --std, --range, --channels missing"):
        resolve_format(ImportOptions(), HERE)


@pytest.mark.parametrize(
    "options, expected",
    [
        (STATED, Preprocessing(8, "bilinear", 255.0, (1.0, 2.0, 3.0), (4.0, 5.0, 6.0))),
        ({**STATED, "channels": "bgr"}, Preprocessing(8, "bilinear", 255.0, (3.0, 2.0, 1.0), (6.0, 5.0, 4.0))),
        (
            {"mean": (0,), "std": (1,), "value_range": (-1, 1), "channels": "grey"},
            Preprocessing(8, "bilinear", 2.0, (1.0,) * 3, (1.0,) * 3),
        ),
        ({"like": "imagenet"}, Preprocessing(8)),
        ({"like": "vggface2"}, Preprocessing(8, "bilinear", 255.0, (123.68, 116.779, 103.939), (1.0,) * 3)),
        (
            {"like": "vggface2", "channels": "rgb"},
            Preprocessing(8, "bilinear", 255.0, (123.68, 116.779, 103.939), (1.0,) * 3),
        ),
        (
            {"like": "vggface2", "mean": (91.4953, 103.8827, 131.0912)},
            Preprocessing(8, "bilinear", 255.0, (131.0912, 103.8827, 91.4953), (1.0,) * 3),
        ),
    ],
)
def test_preprocessing_is_stored_in_rgb_order(options, expected):
    """The pixels, put into the order of the network, are normalized as the network expects."""
    pixels = resolve_format(ImportOptions(**options), HERE)
    assert pixels.preprocessing(8, "bilinear", "none") == expected


def test_range_below_zero_gives_the_same_pixels():
    pixels = resolve_format(ImportOptions(mean=(0.25,), std=(0.5,), value_range=(-1, 1), channels="rgb"), HERE)
    image = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)
    expected = (image / 255 * 2 - 1 - 0.25) / 0.5
    given = backbones.prepare(image, pixels.preprocessing(8, "bilinear", "none")).transpose(1, 2, 0)
    np.testing.assert_allclose(given, expected, atol=1e-6)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"channels": "gbr"}, "unknown value of --channels 'gbr'; did you mean"),
        ({"layout": "hwc"}, "unknown value of --layout"),
        ({"like": "imagnet"}, "did you mean imagenet"),
        ({"interpolation": "cubic"}, "did you mean bicubic"),
        ({"align": "5"}, "unknown value of --align"),
        ({"mean": (1, 2)}, "--mean has 2 numbers"),
        ({"value_range": (1, 0)}, "--range 1,0 is not a range"),
        ({"value_range": (255,)}, "--range 255 is not a range"),
    ],
)
def test_invalid_options_raise(options, message):
    with pytest.raises(BackboneError, match=message):
        ImportOptions(**options)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"like": "imagenet"}, "differ between channels, but the input is grey; give one number each"),
        ({"mean": (0,), "std": (1,), "value_range": (0, 1), "channels": "bgr"}, "has one channel, so it is not bgr"),
    ],
)
def test_grey_input_has_one_mean(options, message):
    with pytest.raises(BackboneError, match=message):
        resolve_format(ImportOptions(**options), HERE, is_grey=True).preprocessing(8, "bilinear", "none")


def test_class_order_is_not_assumed():
    with pytest.raises(BackboneError, match="does not name its 7 scores, .*--classes neutral,happy,.*--like hsemotion"):
        resolve_score_labels(7, ImportOptions(), HERE)
    assert resolve_score_labels(7, ImportOptions(like="hsemotion"), HERE)[0] == "Anger"
    assert resolve_score_labels(7, ImportOptions(classes=("none",)), HERE) == ()
    assert resolve_score_labels(12, ImportOptions(), HERE) == ()


def test_synonyms_of_expressions_are_understood():
    """The order of face-api's network; only `neutral` was understood, so that its zero-shot baseline vanished."""
    given = ("neutral", "happy", "Sad", "ANGRY", "fearful", "disgusted", "surprised")
    names = resolve_score_labels(7, ImportOptions(classes=given), HERE)
    assert names == ("neutral", "Happiness", "Sadness", "Anger", "Fear", "Disgust", "Surprise")
    np.testing.assert_array_equal(expression_columns(given), expression_columns(names))
    assert expression_columns(given).sum() == 7
    assert scores_leak_targets("expr", "scores", ("happy", "x")) and not scores_leak_targets("va", "scores", ("happy",))
    with pytest.raises(BackboneError, match="not all valid and distinct"):
        resolve_score_labels(2, ImportOptions(classes=("happy", "Happiness")), HERE)


def test_preprocessing_of_torch_weights_is_not_assumed(state, entries, tmp_path):
    torch.save(state, tmp_path / "w.pt")
    with pytest.raises(BackboneError, match="w.pt does not contain its preprocessing, and nothing is assumed"):
        backbones.import_file(tmp_path / "w.pt", "mine", entries, classes=CLASSES)
    assert not entries.exists()
    options = ImportOptions(**STATED, classes=CLASSES, interpolation="bicubic", size=64, align="five_point")
    backbones.import_file(tmp_path / "w.pt", "mine", entries, options=options)
    card = backbones.read_card(entries / "mine")
    assert Preprocessing.from_dict(card["preprocessing"]) == Preprocessing(
        64, "bicubic", 255.0, (1.0, 2.0, 3.0), (4.0, 5.0, 6.0), align="five_point"
    )
    assert card["import_options"] == options.given() and card["import_options"]["range"] == [0, 255]


def test_alignment_is_stored_only_if_there_is_any():
    assert "align" not in Preprocessing(8).as_dict()
    aligned = Preprocessing(8, align="five_point")
    assert aligned.as_dict()["align"] == "five_point" and Preprocessing.from_dict(aligned.as_dict()) == aligned
    with pytest.raises(BackboneError, match="unknown alignment 'eyes'"):
        Preprocessing(8, align="eyes")


@pytest.mark.parametrize("channels", ["bgr", "grey"])
def test_torch_networks_are_converted_to_rgb(channels, entries, tmp_path):
    network = timm_network()
    torch.save(network.state_dict(), tmp_path / "w.pt")
    options = ImportOptions(
        mean=(0,),
        std=(1,),
        value_range=(0, 255),
        channels=channels,
        size=64,
        classes=("none",),
        architecture="test_resnet",
    )
    backbones.import_file(tmp_path / "w.pt", "mine", entries, options=options)
    loaded, pixels = backbones.load("mine", entries), torch.randn(2, 3, 64, 64)
    luma = (pixels * torch.tensor([0.299, 0.587, 0.114]).reshape(1, 3, 1, 1)).sum(1, keepdim=True)
    with torch.inference_mode():
        expected = network(pixels.flip(1) if channels == "bgr" else luma.expand(-1, 3, -1, -1))
        torch.testing.assert_close(loaded(pixels)[1], expected, rtol=1e-4, atol=1e-4)
        assert not torch.allclose(network(pixels), expected, rtol=1e-2, atol=1e-3)


def test_network_without_first_convolution_stays_rgb(tmp_path):
    from backbones.importing.torch_pixels import convert_to_rgb

    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, 2)).eval()
    with pytest.raises(BackboneError, match="cannot be converted from bgr to RGB input"):
        convert_to_rgb(network, "bgr", 8, HERE)


def test_classifier_is_left_out_on_request(tiny, state, entries, tmp_path):
    torch.save(state, tmp_path / "w.pt")
    options = ImportOptions(like="imagenet", scores="none")
    backbones.import_file(tmp_path / "w.pt", "mine", entries, options=options)
    pixels = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        embedding, scores = backbones.load("mine", entries)(pixels)
        torch.testing.assert_close(embedding, tiny(pixels)[0])
    assert scores.shape == (1, 0)


@pytest.mark.parametrize("option", [{"layout": "nhwc"}, {"embedding": "pool"}, {"scores": "logits"}])
def test_options_of_graphs_do_not_apply_to_tensors(option, state, entries, tmp_path):
    torch.save(state, tmp_path / "w.pt")
    with pytest.raises(BackboneError, match=f"--{next(iter(option))} does not apply to .*w.pt, which contains tensors"):
        backbones.import_file(tmp_path / "w.pt", "mine", entries, options=ImportOptions(like="imagenet", **option))


def test_options_that_contradict_the_file_raise(tiny, state, entries, tmp_path):
    content = {"state_dict": {f"backbone.network.{name}": tensor for name, tensor in state.items()}}
    torch.save({**content, "framelight": {"backbone": tiny.about()}}, tmp_path / "last.ckpt")
    with pytest.raises(BackboneError, match="contains its preprocessing, which --mean, --like would contradict"):
        backbones.import_file(
            tmp_path / "last.ckpt", "mine", entries, options=ImportOptions(mean=(0,), like="imagenet")
        )
    backbones.import_file(tmp_path / "last.ckpt", "mine", entries)
    assert backbones.load("mine", entries).score_labels == tiny.score_labels


def test_preprocessing_that_contradicts_a_card_raises(state, entries, tmp_path):
    torch.save(state, tmp_path / "w.pt")
    options = ImportOptions(like="imagenet", classes=CLASSES, licence="MIT", source="https://example.org")
    folder = backbones.import_file(tmp_path / "w.pt", "mine", entries, options=options)
    card = backbones.read_card(folder)
    assert (card["licence"], card["source"]) == ("MIT", "https://example.org")
    assert backbones.import_file(tmp_path / "w.pt", "mine", entries, options=options) == folder
    for change, what in (({"like": "vggface2"}, "preprocessing"), ({"licence": "GPL"}, "licence")):
        other = dataclasses.replace(options, **change)
        with pytest.raises(BackboneError, match=f"with different {what}; .*framelight backbones remove mine"):
            backbones.import_file(tmp_path / "w.pt", "mine", entries, options=other)


def test_removed_entry_is_gone(state, entries, tmp_path):
    torch.save(state, tmp_path / "w.pt")
    options = ImportOptions(like="imagenet", classes=CLASSES)
    folder = backbones.import_file(tmp_path / "w.pt", "mine", entries, options=options)
    with pytest.raises(BackboneError, match="unknown trained or imported backbone 'min'; did you mean mine"):
        backbones.remove_entry("min", entries)
    with pytest.raises(BackboneError, match="'tiny_resnet' is not an entry of the store"):
        backbones.remove_entry("tiny_resnet", entries)
    assert backbones.remove_entry("mine", entries) == folder
    assert not list(entries.iterdir()) and backbones.entries(entries) == {}
    assert backbones.import_file(tmp_path / "w.pt", "mine", entries, options=options) == folder


def test_entry_that_cannot_be_renamed_stays_whole(state, entries, tmp_path, monkeypatch):
    torch.save(state, tmp_path / "w.pt")
    folder = backbones.import_file(
        tmp_path / "w.pt", "mine", entries, options=ImportOptions(like="imagenet", classes=CLASSES)
    )

    def refuse(path, target):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.rename", refuse)
        with pytest.raises(BackboneError, match="cannot remove .*mine: Permission denied"):
            backbones.remove_entry("mine", entries)
    assert list(entries.iterdir()) == [folder] and backbones.read_card(folder)["name"] == "mine"


@pytest.mark.parametrize(
    "change, said",
    [
        ({"classes": ("neutrl", *CLASSES[1:])}, "the class neutrl is not a known expression; did you mean neutral?"),
        ({"value_range": (0, 1), "mean": (127.5,), "std": (127.5,)}, "these values span 0.00784314 after"),
        ({"value_range": (0, 255)}, "check that --mean and --std are in the units of --range"),
    ],
)
def test_implausible_options_are_warned_about(state, entries, tmp_path, caplog, change, said):
    torch.save(state, tmp_path / "w.pt")
    options = ImportOptions(like="imagenet", classes=CLASSES)
    backbones.import_file(tmp_path / "w.pt", "plain", entries, options=options)
    assert not [record for record in caplog.records if record.levelname == "WARNING"]
    backbones.import_file(tmp_path / "w.pt", "odd", entries, options=dataclasses.replace(options, **change))
    assert said in caplog.text
