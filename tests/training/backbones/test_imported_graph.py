"""Trainings that start from an imported ONNX graph."""

import dataclasses

import torch

import backbones
from backbones.importing.onnx_files import import_onnx
from harness import Expressions, Schedule
from harness.training.backbones.train import train_stills
from tests.helpers.backbone_training import QUICK
from tests.helpers.onnx_imports import HSEMOTION
from tests.helpers.onnx_models import mobile


def test_imported_graph_is_fine_tuned_head_first_with_sam(table, tmp_path):
    entries = tmp_path / "entries"
    import_onnx(mobile(tmp_path / "m.onnx"), "parent", entries, HSEMOTION)
    config = dataclasses.replace(
        QUICK, backbone="parent", identities=None, expressions=Expressions(Schedule(1, head_epochs=1)), sam=0.05
    )
    stages = []
    trained = train_stills(
        config,
        table.stills("train"),
        None,
        entries / "tuned",
        checkpoints=entries,
        on_epoch=lambda stage, *_: stages.append(stage),
    )
    assert stages == ["expressions-head", "expressions-all"]
    card = backbones.read_card(trained.folder)
    assert (
        card["engine"] == "onnxruntime"
        and card["parent_hash"] == backbones.read_card(entries / "parent")["weights_hash"]
    )
    parent, tuned = backbones.load("parent", entries), backbones.load("tuned", entries)
    pixels = torch.ones(1, 3, 16, 16)
    assert tuned(pixels)[1].shape == (1, 8) and not torch.allclose(tuned(pixels)[0], parent(pixels)[0], atol=1e-4)
