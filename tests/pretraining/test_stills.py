import dataclasses
import json

import numpy as np
import pytest
import torch

import backbones
from harness.data.image_table import ImageTable
from harness.errors import InputError
from harness.pretraining import pictures
from harness.pretraining.config import REVISION, StillsConfig
from harness.pretraining.steps import present_f1
from harness.pretraining.stills import train_stills
from harness.tasks import EXPRESSIONS

from .drawing import draw

QUICK = StillsConfig("tiny_mobilenet@random", identity_epochs=10, expression_epochs=8, batch_size=8, augmentation=0.0,
                     threads=1)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return draw(tmp_path_factory.mktemp("stills") / "table")


def train(table, folder, config=QUICK, **options):
    return train_stills(config, table.stills("train"), table.stills("validation"), folder, **options)


@pytest.fixture(scope="module")
def trained(table, tmp_path_factory):
    said = []
    folder = tmp_path_factory.mktemp("checkpoints") / "drawn-0"
    return train(table, folder, name="drawn", say=said.append), said


def test_identities_and_expressions_are_learned_and_carried_to_unseen_subjects(trained):
    metrics = trained[0].metrics
    assert metrics["identities"] == 4 and metrics["identity_accuracy"] > 0.45
    assert metrics["expression_classes"] == 4 and metrics["expression_macro_f1"] > 0.6


def test_every_epoch_is_told(trained):
    said = "\n".join(trained[1])
    for line in ("reading 96 stills", "identities: epoch 10 of 10, loss", "expressions: epoch 8 of 8, loss",
                 "macro F1"):
        assert line in said


def test_the_checkpoint_is_a_backbone_that_scores_expressions_as_its_card_says(table, trained):
    folder = trained[0].folder
    card = json.loads((folder / "card.json").read_text())
    assert card["name"] == "drawn" and tuple(card["classes"]) == EXPRESSIONS
    assert card["parent"] == "random (seed 0)" and card["architecture"] == "tiny_mobilenet"
    assert card["metrics"] == trained[0].metrics and len(card["data_digest"]) == 64
    assert card["recipe"] == {**dataclasses.asdict(QUICK), "revision": REVISION} and card["stills"] == 64
    backbone = backbones.load("drawn", folder.parent)
    read = pictures.read(table.stills("validation"), backbone.spec.preprocessing, print)
    with torch.no_grad():
        scores = torch.cat([backbone(p)[1] for p in pictures.plain_batches(read.images, backbone.spec.preprocessing)])
    assert present_f1(read.targets["expr"], scores.argmax(1).numpy()) == pytest.approx(
        card["metrics"]["expression_macro_f1"])


def test_pixels_of_training_are_those_of_the_backbones_own_preprocessing(table):
    stills, spec = table.stills("validation"), backbones.spec("tiny_mobilenet")
    read = pictures.read(stills, spec.preprocessing, print)
    ours = torch.cat(list(pictures.plain_batches(read.images, spec.preprocessing))).numpy()
    from harness.features.decode import decode

    theirs = np.stack([backbones.prepare(decode(path), spec) for path in stills.images])
    assert np.allclose(ours, theirs, atol=1e-5)


def test_the_same_training_gives_the_same_weights_and_another_seed_others(table, tmp_path):
    short = dataclasses.replace(QUICK, identity_epochs=1, expression_epochs=1, augmentation=0.5)
    hashes = [backbones.read_card(train(table, tmp_path / name, config).folder)["weights_hash"]
              for name, config in (("a", short), ("b", short), ("c", dataclasses.replace(short, seed=1)))]
    assert hashes[0] == hashes[1] != hashes[2]


def test_identities_alone_leave_scores_of_the_subjects(table, tmp_path):
    train(table, tmp_path / "known", dataclasses.replace(QUICK, identity_epochs=1, expression_epochs=0))
    assert backbones.read_card(tmp_path / "known")["classes"] == ["s0", "s1", "s3", "s4"]


def test_training_goes_on_from_a_checkpoint(table, trained, tmp_path):
    config = dataclasses.replace(QUICK, backbone="drawn", identity_epochs=0, expression_epochs=1,
                                 expression_learning_rate=1e-5)
    result = train(table, tmp_path / "further", config, checkpoints=trained[0].folder.parent)
    card = backbones.read_card(result.folder)
    assert card["parent"] == "checkpoint drawn"
    assert card["parent_hash"] == backbones.read_card(trained[0].folder)["weights_hash"]


def test_valence_arousal_and_action_units_are_learned_where_they_are_annotated_and_wanted(tmp_path):
    table = draw(tmp_path / "table", annotated=True)
    config = dataclasses.replace(QUICK, identity_epochs=0, expression_epochs=2)
    weights = []
    for auxiliary in (True, False):
        train(table, tmp_path / str(auxiliary), dataclasses.replace(config, auxiliary=auxiliary))
        card = backbones.read_card(tmp_path / str(auxiliary))
        assert tuple(card["classes"]) == EXPRESSIONS and card["score_width"] == 8
        weights.append(card["weights_hash"])
    assert weights[0] != weights[1] and config.auxiliary is False


def test_one_number_of_threads_gives_one_result_whatever_was_set_before(table, tmp_path):
    """The environment's OMP_NUM_THREADS is what torch starts with."""
    short, before = dataclasses.replace(QUICK, identity_epochs=1, expression_epochs=1), torch.get_num_threads()
    hashes = {}
    try:
        for around, threads in ((1, 2), (2, 2), (2, 1)):
            torch.set_num_threads(around)
            result = train(table, tmp_path / f"{around}-{threads}", dataclasses.replace(short, threads=threads))
            hashes[around, threads] = backbones.read_card(result.folder)["weights_hash"]
            assert torch.get_num_threads() == around
    finally:
        torch.set_num_threads(before)
    assert hashes[1, 2] == hashes[2, 2] != hashes[2, 1]


def test_corrupt_stills_are_named_and_left_out(tmp_path):
    table = draw(tmp_path / "table")
    stills = table.stills("train")
    stills.images[3].write_bytes(b"not an image")
    said = []
    read = pictures.read(stills, backbones.spec("tiny_resnet").preprocessing, said.append)
    assert len(read) == len(stills.images) - 1 and len(read.targets["expr"]) == len(read) == len(read.subject)
    assert len(said) == 1 and stills.images[3].name in said[0]
    for path in stills.images:
        path.write_bytes(b"")
    with pytest.raises(InputError, match="none of the 64 stills can be read"):
        pictures.read(stills, backbones.spec("tiny_resnet").preprocessing, said.append)


def relabelled(root, change):
    lines = (root / "labels.csv").read_text().splitlines()
    (root / "labels.csv").write_text("\n".join([lines[0], *(change(line.split(",")) for line in lines[1:])]) + "\n")
    return ImageTable(root)


def test_stills_that_cannot_teach_are_refused(tmp_path):
    draw(tmp_path / "one")
    one = relabelled(tmp_path / "one", lambda cells: ",".join([cells[0], "anger", *cells[2:]]))
    with pytest.raises(InputError, match="the training stills have 1 expressions"):
        train(one, tmp_path / "out", dataclasses.replace(QUICK, identity_epochs=0))
    draw(tmp_path / "strangers", each=2)
    strangers = ImageTable(tmp_path / "strangers")
    with pytest.raises(InputError, match="0 subjects have 4 stills or more.*identity_epochs=0"):
        train(strangers, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("bad", [{"identity_epochs": -1}, {"identity_epochs": 0, "expression_epochs": 0},
                                 {"batch_size": 1}, {"threads": 0}, {"expression_learning_rate": 0.0},
                                 {"augmentation": 1.5},
                                 {"label_smoothing": 1.0}, {"weight_limit": 0.5}, {"weight_decay": -1.0}])
def test_impossible_settings_are_refused(bad):
    with pytest.raises(InputError, match=next(iter(bad))):
        StillsConfig(**bad)
