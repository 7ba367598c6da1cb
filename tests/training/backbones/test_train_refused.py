"""Errors and warnings of trainings about images, hardware and working folders."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

import backbones
from harness import Expressions, Hardware, Schedule
from harness.data.image_table import ImageTable
from harness.training.backbones.stage_checkpoints import StageCheckpoints
from harness.training.backbones.train import train_stills
from harness.utils.errors import InputError
from tests.helpers.backbone_training import CPU, QUICK, SHORT, expressions, relabelled, train, weights
from tests.helpers.drawn_stills import draw


def test_missing_targets_warn_and_are_skipped(table, tmp_path, logged):
    quick = dataclasses.replace(QUICK, identities=None, expressions=Expressions(Schedule(1), also=("va",)))
    train(table, tmp_path / "out", quick)
    assert "no training image has valence and arousal; training on expressions without them" in logged
    assert backbones.read_card(tmp_path / "out")["score_width"] == 8


def test_untrainable_settings_raise_before_reading(table, tmp_path):
    stills = table.stills("train")
    bare = dataclasses.replace(stills, expression=np.full(len(stills), -1))
    with pytest.raises(InputError, match="none of the 64 training images has an expression.*expressions=none"):
        train_stills(QUICK, bare, None, tmp_path / "out")
    with pytest.raises(InputError, match="devices=999, but this process may use"):
        train_stills(QUICK, stills, None, tmp_path / "out", hardware=Hardware("cpu", devices="999"))
    assert not list(tmp_path.iterdir())


def test_selection_on_one_expression_warns(tmp_path, logged):
    draw(tmp_path / "table")
    one = relabelled(
        tmp_path / "table",
        lambda cells: ",".join([cells[0], "anger" if "validation" in cells else cells[1], *cells[2:]]),
    )
    train(one, tmp_path / "out", expressions(schedule=Schedule(1), held_out=0.0))
    assert any(
        "the 32 images that select the epoch contain fewer than two expression classes" in line for line in logged
    )


def test_untrainable_stills_raise(tmp_path):
    draw(tmp_path / "one")
    one = relabelled(tmp_path / "one", lambda cells: ",".join([cells[0], "anger", *cells[2:]]))
    with pytest.raises(InputError, match="the training images have 1 expression, and"):
        train(one, tmp_path / "out", expressions())
    draw(tmp_path / "strangers", each=2)
    strangers = ImageTable(tmp_path / "strangers")
    with pytest.raises(InputError, match="two subjects with 4 images or more, and there are 0.*identities=none"):
        train(strangers, tmp_path / "out")
    with pytest.raises(InputError, match="show 1 subject,.*held_out=0"):
        train(
            relabelled(tmp_path / "one", lambda cells: ",".join([*cells[:2], "s0", cells[3]])),
            tmp_path / "out",
            expressions(),
        )
    assert not (tmp_path / "out").exists()


def test_user_folder_is_rejected_as_working_folder(table, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="is not empty and does not belong to a training"):
        train(table, tmp_path / "out", SHORT, work=tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").exists()


def test_other_training_is_not_resumed(table, tmp_path):
    def interrupted(stage, epoch, values):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(table, tmp_path / "out", dataclasses.replace(SHORT, seed=1), on_epoch=interrupted)
    assert (tmp_path / ".out.work").is_dir()
    assert weights(train(table, tmp_path / "out", SHORT)) == weights(train(table, tmp_path / "fresh", SHORT))


def test_subjects_in_both_splits_warn(table, tmp_path, logged):
    train_stills(
        expressions(), table.stills("train"), table.stills("train").take(np.arange(32)), tmp_path / "out", hardware=CPU
    )
    assert any("2 of the 2 validation subjects are also in the training images (first: s0)" in line for line in logged)


def test_missing_hardware_raises_before_reading(table, tmp_path, monkeypatch, logged):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="hardware.accelerator=cuda, but torch finds no such device"):
        train(table, tmp_path / "out", SHORT, hardware=Hardware("cuda"))
    with pytest.raises(InputError, match="16-mixed needs a GPU; on the CPU choose"):
        train(table, tmp_path / "out", dataclasses.replace(SHORT, precision="16-mixed"))
    assert not logged and not list(tmp_path.iterdir())


def test_partly_removed_working_folder_is_accepted(table, tmp_path):
    config, work = dataclasses.replace(SHORT, identities=None), tmp_path / "work"
    work.mkdir()
    (work / ".training.json.x.aside").write_text("{")  # killed as it was made
    first = weights(train(table, tmp_path / "a", config, work=work))
    assert not work.exists()
    old = StageCheckpoints(work, "another training")
    (work / "expressions-all.json").write_text("{}")
    (work / "folder").mkdir()
    removed, unlink = [], Path.unlink
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "unlink", lambda path, **how: (removed.append(path.name), unlink(path, **how)))
        old.remove()
    assert removed == ["expressions-all.json", "training.json"] and not work.exists()
    assert weights(train(table, tmp_path / "b", config, work=work)) == first


def test_splits_of_other_classes_raise(table, tmp_path):
    other = dataclasses.replace(table.stills("validation"), classes=backbones.AFFECTNET)
    with pytest.raises(InputError, match="both need the same classes in the same order"):
        train_stills(SHORT, table.stills("train"), other, tmp_path / "out")
