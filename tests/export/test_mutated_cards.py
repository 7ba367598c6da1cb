"""Cards of exports with wrong values are refused with a message about the card, never with an error of Python."""

import copy
import json
import random

import numpy as np
import pytest

from harness.export.card_reader import KIND, VERSION, read_card
from harness.metrics.tasks import TASKS
from harness.utils.errors import FramelightError
from tests.backbones.test_mutated_cards import mutated

CARD = {
    "kind": KIND,
    "version": VERSION,
    "format": "onnx",
    "task": "au",
    "input": {"size": 64, "interpolation": "bilinear"},
    "outputs": {"columns": list(TASKS["au"].columns)},
    "thresholds": [0.5] * 12,
    "smoothing": {"kernel": "mean", "radius": 3, "gaps": "linear"},
    "causal": {"kernel": "trailing_mean", "radius": 3, "gaps": "held", "thresholds": [0.5] * 12},
    "margin": {"scale": 1.2, "dx": 0.0, "dy": 0.1},
    "run": {"job_id": "0123456789ab-s0", "backbone": "b", "features": "embeddings", "head": "mlp"},
    "files": [{"precision": "float32", "file": "model-float32.onnx", "parts": {"model-float32.onnx": "0" * 64}}],
}


def write(folder, card):
    (folder / "card.json").write_text(json.dumps(card))
    return folder


def test_mutated_cards_are_read_or_refused(tmp_path):
    draw, refused = random.Random(1), 0
    assert read_card(write(tmp_path, CARD)).files["float32"].name == "model-float32.onnx"
    for _ in range(600):
        write(tmp_path, mutated(copy.deepcopy(CARD), draw))
        try:
            card = read_card(tmp_path)
            hash(card.filter), hash(card.causal), hash(card.margin), hash(card.preprocessing)
            assert np.isfinite(card.filter.thresholds or 0.5).all()
            assert card.margin is None or 0 < card.margin.scale < 100
            assert all(isinstance(digest, str) for file in card.files.values() for digest in file.parts.values())
        except FramelightError as error:
            refused += 1
            assert "card.json" in str(error) or "format" in str(error), error
    assert refused > 400


@pytest.mark.parametrize("text", ["[" * 100_000, "[]", "{", '{"a": ' * 50_000])
def test_damaged_card_is_named(tmp_path, text):
    (tmp_path / "card.json").write_text(text)
    with pytest.raises(FramelightError, match="card.json"):
        read_card(tmp_path)
