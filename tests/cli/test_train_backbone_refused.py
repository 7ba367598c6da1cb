"""Errors of `framelight train-backbone`."""

import json
import re
import shutil

import torch

import backbones
from harness.cli import main
from tests.helpers.backbone_recipes import entry_of, entry_of_name, said, tracked
from tests.helpers.drawn_stills import draw


def test_wrong_input_messages(capsys, drawn, table, tmp_path):
    store = ("--store", tmp_path / "store")
    assert "use: framelight train-backbone light_both" in said(capsys, "run", "light_both", *store)
    assert "use: framelight run quickstart" in said(capsys, "train-backbone", "quickstart", *store)
    assert "did you mean light_both" in said(capsys, "train-backbone", "light_bth", *store)
    assert "add --data DIR" in said(capsys, "train-backbone", drawn, *store)
    assert "no such data folder" in said(capsys, "train-backbone", drawn, "--data", tmp_path / "none", *store)
    (tmp_path / "empty").mkdir()
    assert "VGGFace2" in said(capsys, "train-backbone", drawn, "--data", tmp_path / "empty", *store)
    assert "did you mean" in said(capsys, "train-backbone", drawn, "--data", table, *store, "--set", "epoch=2")
    assert "training.seed" in said(capsys, "train-backbone", "light_both", *store, "--set", "seed=2")
    assert "did you mean tiny_resnet" in said(
        capsys, "train-backbone", drawn, "--data", table, *store, "--set", "backbone=tiny_resnt"
    )
    (tmp_path / "file").write_text("")
    assert "is a file" in said(capsys, "train-backbone", drawn, "--data", table, "--store", tmp_path / "file")


def test_untrained_parent_raises_with_command(capsys, table, tmp_path):
    message = said(capsys, "train-backbone", "affectnet_expressions", "--data", table, "--store", tmp_path / "store")
    assert "framelight train-backbone vggface2_identities" in message and "--set backbone=efficientnet_b0" in message


def test_ambiguous_parent_raises(capsys, copied, table):
    for letter in "ab":
        folder = entry_of(copied) if letter == "a" else copied / "artifacts/backbones/light_both-a"
        shutil.copytree(folder, copied / f"artifacts/backbones/light_both-{letter}")
        card = copied / f"artifacts/backbones/light_both-{letter}/card.json"
        card.write_text(json.dumps({**json.loads(card.read_text()), "name": "light_both"}))
    message = said(
        capsys,
        "train-backbone",
        "light_expressions",
        "--data",
        table,
        "--store",
        copied,
        "--set",
        "backbone=light_both",
    )
    assert "2 of that name" in message and "--set backbone=light_both-a (or light_both-b)" in message


def test_untrainable_parent_raises_before_work(capsys, drawn, table, tmp_path):
    from backbones.importing.onnx_files import import_onnx
    from tests.helpers.onnx_imports import HSEMOTION
    from tests.helpers.onnx_models import written

    model = written(
        tmp_path / "m.onnx",
        "g (float[N,3,8,8] x) => (float[N,8] scores, float[N,192] embedding) { flat = Flatten (x) "
        "embedding = Softsign (flat) some = Constant <value = int64[8] {0, 1, 2, 3, 4, 5, 6, 7}> () "
        "scores = Gather <axis = 1> (embedding, some) }",
    )
    import_onnx(model, "fixed", tmp_path / "store/artifacts/backbones", HSEMOTION)
    message = said(
        capsys, "train-backbone", drawn, "--data", table, "--store", tmp_path / "store", "--set", "backbone=fixed"
    )
    assert "cannot be trained: its graph has operators without an equivalent in training: Softsign; train a" in message
    assert message.count("cannot be trained") == 1
    assert not (tmp_path / "store/features/digests.json").exists()


def test_parent_with_other_settings_is_another_parent(copied, drawn, table, capsys):
    """The same weights with other pixels teach otherwise."""
    further = (
        "train-backbone",
        drawn,
        "--data",
        table,
        "--store",
        copied,
        "--set",
        "name=further",
        "--set",
        "backbone=drawn",
        "--set",
        "identities=none",
        "--set",
        "expressions.schedule.epochs=1",
    )
    assert main([str(argument) for argument in further]) == 0
    path = entry_of_name(copied, "drawn") / "card.json"
    card = json.loads(path.read_text())
    path.write_text(
        json.dumps(
            {**card, "preprocessing": {**card["preprocessing"], "mean": [0.25, 0.5, 0.75]}, "licence": "mine alone"}
        )
    )
    assert main([str(argument) for argument in further]) == 0
    assert "trained before" not in capsys.readouterr().err
    cards = [backbones.read_card(path) for path in (copied / "artifacts/backbones").glob("further-*")]
    assert len(cards) == 2 and len({card["weights_hash"] for card in cards}) == 2
    assert "mine alone; faces's terms" in {card["licence"] for card in cards}


def test_malformed_label_is_named_with_its_line_and_the_run_says_why(capsys, drawn, table, tmp_path):
    shutil.copytree(table, tmp_path / "faces")
    labels = tmp_path / "faces/labels.csv"
    lines = labels.read_text().splitlines()
    labels.write_text(
        "\n".join(
            [
                *lines[:4],
                lines[4]
                .replace("disgust", "disgusted")
                .replace("fear", "feared")
                .replace("neutral", "neutered")
                .replace("anger", "angered"),
                *lines[5:],
            ]
        )
        + "\n"
    )
    assert f"{labels}:5" in said(
        capsys, "train-backbone", drawn, "--data", tmp_path / "faces", "--store", tmp_path / "store"
    )


def test_untrainable_stills_fail_the_run(capsys, drawn, tmp_path):
    root = draw(tmp_path / "strangers", each=2).root
    message = said(capsys, "train-backbone", drawn, "--data", root, "--store", tmp_path / "store")
    assert "identities" in message
    [run] = tracked(tmp_path / "store")[1]
    assert run.info.status == "FAILED" and "InputError" in run.data.tags["mlflow.note.content"]


def test_name_of_imported_backbone_raises_before_work(drawn, table, tmp_path, capsys):
    entries = tmp_path / "store/artifacts/backbones"
    torch.save(backbones.build("tiny_resnet").network.state_dict(), tmp_path / "weights.pt")
    backbones.import_file(tmp_path / "weights.pt", "drawn", entries, options=backbones.ImportOptions(like="hsemotion"))
    assert main(["train-backbone", str(drawn), "--data", str(table), "--store", str(tmp_path / "store")]) == 2
    assert "has an imported backbone called 'drawn'" in capsys.readouterr().err
    assert [path.name for path in entries.iterdir() if not path.name.startswith(".")] == ["drawn"]


def test_entries_with_the_same_name_are_distinguished(copied, drawn, table, capsys):
    assert (
        main(["train-backbone", str(drawn), "--data", str(table), "--store", str(copied), "--set", "training.seed=1"])
        == 0
    )
    out = capsys.readouterr().out
    both = sorted(path.name for path in (copied / "artifacts/backbones").glob("drawn-*"))
    assert len(both) == 2 and re.search(rf"backbones=({both[0]}|{both[1]})\n", out)
