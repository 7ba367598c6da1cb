"""`framelight backbones import`."""

import re

import pytest
import torch

import backbones
from harness.cli import main


@pytest.fixture
def weights(tmp_path):
    torch.save(backbones.build("tiny_resnet", ("no", "yes"), seed=2).network.state_dict(), tmp_path / "w.pt")
    return tmp_path / "w.pt"


def test_imported_entry_is_listed_shown_and_loaded(weights, tmp_path, capsys):
    store = ["--store", str(tmp_path / "store")]
    command = ["backbones", "import", str(weights), "--name", "mine", "--classes", "no, yes", *store]
    assert main(command) == 2
    refused = capsys.readouterr().err
    assert "does not contain its preprocessing, and nothing is assumed" in " ".join(refused.split())
    assert main([*command, "--like", "imagenet"]) == 0
    said = capsys.readouterr().out
    assert "as in imagenet networks (--like): mean, std, range, channels" in said
    assert "tiny_resnet" in said and "2 (no, yes)" in said and "64 x 64" in said and "--backbone mine" in said
    assert main(["backbones", *store]) == 0
    assert re.search(r"\nmine .* imported w.pt ", capsys.readouterr().out)
    assert main(["backbones", "mine", *store]) == 0
    shown = capsys.readouterr().out
    assert re.search("imported from +w.pt\n", shown) and re.search("\nclasses +no, yes\n", shown)
    assert re.search("\npreprocessing.mean +0.485, 0.456, 0.406\n", shown) and "None" not in shown
    assert backbones.load("mine", tmp_path / "store" / "artifacts" / "backbones").score_labels == ("no", "yes")


def test_options_are_kept_on_the_card(weights, tmp_path, capsys):
    folder = tmp_path / "store" / "artifacts" / "backbones" / "mine"
    command = ["backbones", "import", str(weights), "--name", "mine", "--store", str(tmp_path / "store")]
    options = (
        "--mean -1,0,.5 --std 127.5 --range -1,255 --channels bgr --interpolation bicubic --align five_point --size 64 "
        "--classes none --licence MIT --source here"
    )
    assert main([*command, *options.split()]) == 0
    card = backbones.read_card(folder)
    assert card["preprocessing"] == {
        "input_size": 64,
        "interpolation": "bicubic",
        "value_range": 256.0,
        "mean": [1.5, 1.0, 0.0],
        "std": [127.5] * 3,
        "resize": "square",
        "align": "five_point",
    }
    assert (card["licence"], card["source"], card["classes"]) == ("MIT", "here", [])
    assert card["import_options"]["range"] == [-1.0, 255.0] and card["import_options"]["channels"] == "bgr"
    changed = (folder / "card.json").stat().st_mtime_ns
    assert main([*command, *options.split()]) == 0
    assert (folder / "card.json").stat().st_mtime_ns == changed
    capsys.readouterr()
    assert main([*command, *options.replace("bgr", "rgb").split()]) == 2
    assert "already exists" in capsys.readouterr().err


def test_removed_backbone_is_no_longer_listed(weights, tmp_path, capsys):
    store = ["--store", str(tmp_path / "store")]
    assert main(["backbones", "import", str(weights), "--name", "mine", "--like", "imagenet", *store]) == 0
    assert main(["backbones", "remove", "mine", *store]) == 0
    assert "removed" in capsys.readouterr().out
    assert main(["backbones", "remove", "mine", *store]) == 2
    assert "unknown trained or imported backbone 'mine'" in capsys.readouterr().err
    assert main(["backbones", *store]) == 0
    assert "\nmine " not in capsys.readouterr().out


@pytest.mark.parametrize(
    "options, message", [(["--mean", "a"], "'a' is not a list of numbers"), (["--like", "x"], "invalid choice: 'x'")]
)
def test_invalid_options_exit_with_2(options, message, weights, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["backbones", "import", str(weights), "--name", "mine", *options, "--store", str(tmp_path)])
    assert ended.value.code == 2 and message in capsys.readouterr().err


def test_wrong_input_exits_with_2(weights, tmp_path, capsys):
    store = ["--store", str(tmp_path / "store")]
    wrong = ["--name", "mine", "--architecture", "tiny_mobilenet", *store]
    assert main(["backbones", "import", str(weights), *wrong]) == 2
    assert "not contain the weights of tiny_mobilenet" in capsys.readouterr().err
    assert main(["backbones", "import", str(tmp_path / "none.pt"), "--name", "mine", *store]) == 2
    assert "none.pt cannot be read" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        main(["backbones", "import", str(weights), *store])
    assert ended.value.code == 2 and "--name" in capsys.readouterr().err


def test_card_numbers_have_four_digits(tmp_path, capsys):
    backbones.save_checkpoint(
        tmp_path / "artifacts/backbones/mine",
        backbones.build("tiny_resnet", seed=1),
        {
            "metrics": {"expression_macro_f1": 0.829907013804901, "images_per_second": 1234.5678},
            "parent": None,
            "recipe": {"expressions": {"schedule": {"epochs": 3}, "weight_limit": 20.0}},
        },
    )
    assert main(["backbones", "mine", "--store", str(tmp_path)]) == 0
    shown = dict(re.split("  +", line, maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert shown["metrics.expression macro f1"] == "0.8299" and shown["metrics.images per second"] == "1,235"
    assert shown["recipe.expressions.schedule.epochs"] == "3" and shown["recipe.expressions.weight limit"] == "20"
    assert "parent" not in shown


def test_store_that_is_a_file_exits_with_2(weights, tmp_path, capsys):
    (tmp_path / "file").touch()
    for command in (["backbones"], ["backbones", "mine"], ["backbones", "import", str(weights), "--name", "mine"]):
        assert main([*command, "--store", str(tmp_path / "file")]) == 2
        assert "is a file; a store is a folder" in capsys.readouterr().err
