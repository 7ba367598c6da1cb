"""Benchmarks of feature extraction and of their reference."""

import numpy as np
import pytest

import backbones
from harness.bench import extraction
from harness.bench.crops import FRAMES, BenchmarkCrops, render_crops
from harness.bench.notebook import _run_notebook_loop
from harness.features.extraction import extract
from harness.features.store import FeatureStore


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    return render_crops(tmp_path_factory.mktemp("crops"))


def test_crops_are_repeated(paths, tmp_path):
    crops = BenchmarkCrops(tmp_path, paths[:5], FRAMES + 7)
    assert [len(sequence.images) for sequence in crops.sequences.values()] == [FRAMES, 7]
    assert crops.paths[:6] == [*paths[:5], paths[0]]


def test_notebook_loop_equals_extraction(paths, tmp_path):
    tiny, crops = backbones.load("tiny_resnet@random"), BenchmarkCrops(tmp_path, paths, 110)
    entry = extract(crops, tiny, FeatureStore(tmp_path), "float32", images="x")
    embeddings, scores = _run_notebook_loop(tiny, crops.paths)
    np.testing.assert_allclose(entry.read("video0000", "embeddings")[0], embeddings, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(entry.read("video0000", "scores")[0], scores, rtol=1e-3, atol=1e-4)


@pytest.mark.benchmark
def test_row_has_preprocessing_times(paths, tmp_path, monkeypatch):
    monkeypatch.setattr(extraction, "PASS_SECONDS", 0.1)
    monkeypatch.setattr(extraction, "AFFWILD2_CROPS", 1)
    figure = extraction.measure_backbone("tiny_mobilenet", paths, tmp_path)
    assert figure.part == "extraction tiny_mobilenet" and figure.least == 0.85 and 0.2 < figure.ratio < 1.5
    assert all(f"{part} 0." in figure.note for part in ("decoding", "resizing", "normalising"))
