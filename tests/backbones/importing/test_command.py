"""`framelight backbones import`."""

import json

import pytest
import torch

import backbones
from harness.cli import main


@pytest.fixture
def weights(tmp_path):
    torch.save(backbones.build("tiny_resnet", ("no", "yes"), seed=2).network.state_dict(), tmp_path / "w.pt")
    return tmp_path / "w.pt"


def test_an_imported_entry_is_listed_shown_and_loaded(weights, tmp_path, capsys):
    store = ["--store", str(tmp_path / "store")]
    assert main(["backbones", "import", str(weights), "--name", "mine", "--classes", "no, yes", *store]) == 0
    said = capsys.readouterr().out
    assert "tiny_resnet" in said and "2 (no, yes)" in said and "64 x 64" in said and "--backbone mine" in said
    assert main(["backbones", *store]) == 0
    assert "\nmine " in capsys.readouterr().out
    assert main(["backbones", "mine", *store]) == 0
    shown = capsys.readouterr().out
    assert "w.pt" in shown and json.dumps(["no", "yes"]) in shown
    assert backbones.load("mine", tmp_path / "store" / "artifacts" / "backbones").score_labels == ("no", "yes")


def test_what_is_wrong_ends_with_2(weights, tmp_path, capsys):
    store = ["--store", str(tmp_path / "store")]
    wrong = ["--name", "mine", "--architecture", "tiny_mobilenet", *store]
    assert main(["backbones", "import", str(weights), *wrong]) == 2
    assert "not hold the weights of tiny_mobilenet" in capsys.readouterr().err
    assert main(["backbones", "import", str(tmp_path / "none.pt"), "--name", "mine", *store]) == 2
    assert "none.pt cannot be read" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        main(["backbones", "import", str(weights), *store])
    assert ended.value.code == 2 and "--name" in capsys.readouterr().err
