"""Heads as one torch module equal the numpy functions that a run predicted with."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

import backbones
from harness import HeadConfig, HeadOverride
from harness.export.network import (
    Activation,
    ExportNetwork,
    Heads,
    ZeroShot,
    make_network,
    torch_module,
    with_random_head,
)
from harness.features.entry import FeatureEntry
from harness.features.matrix import feature_columns
from harness.jobs.baselines import ZeroShotModel, expression_columns, zero_shot_probabilities
from harness.jobs.head_model import HeadModel, make_network_specs
from harness.metrics.tasks import TASKS
from harness.training.heads.modules import build_head
from harness.training.heads.trained_head import TrainedHead

AFFECTNET_AND_MORE = ("Anger", "Contempt", "Disgust", "Fear", "Happiness", "Neutral", "Sadness", "Surprise", "valence")


@pytest.fixture
def random():
    return np.random.default_rng(0)


def test_scores_that_are_named_after_emotions_become_probabilities(random):
    columns, scores = expression_columns(AFFECTNET_AND_MORE), random.normal(0, 3, (50, 9)).astype(np.float32)
    found = ZeroShot(columns)(torch.from_numpy(scores)).numpy()
    np.testing.assert_allclose(found, zero_shot_probabilities(scores, columns), atol=1e-6)


@pytest.mark.parametrize("task", TASKS.values(), ids=list(TASKS))
def test_outputs_are_activated_as_the_task_does(task, random):
    logits = random.normal(0, 4, (50, task.width)).astype(np.float32)
    np.testing.assert_allclose(Activation(task)(torch.from_numpy(logits)).numpy(), task.activate(logits), atol=1e-6)


def entry_of(dtype, score_labels=()):
    return FeatureEntry(
        Path("entry"),
        "",
        {"label": "small", "score_labels": score_labels},
        "",
        dtype,
        {"embeddings": 5, "scores": 9},
        {},
        (),
    )


def separate_model(dtype):
    """Untrained networks: valence and arousal from the scores, the rest from all features."""
    head = HeadConfig("separate", hidden=4, parts=(HeadOverride("va", features="scores"),))
    parts = make_network_specs(SimpleNamespace(head=head, features="embeddings+scores"), TASKS["mtl"])
    trained = {}
    for part in parts:
        width = 9 if part.features == "scores" else 14
        state = {name: value.numpy() for name, value in build_head(part.head, width, part.task).state_dict().items()}
        trained[part.name] = TrainedHead(state, part.head, part.task.name, width, 1, [], 0.0)
    return HeadModel(TASKS["mtl"], entry_of(dtype), parts, trained, {})


@pytest.mark.parametrize("dtype", ("float16", "float32"))
@pytest.mark.parametrize("model_of", (separate_model, lambda dtype: ZeroShotModel(entry_of(dtype, AFFECTNET_AND_MORE))))
def test_heads_match_the_model_of_the_run(model_of, dtype, random):
    model = model_of(dtype)
    arrays = {
        "embeddings": random.normal(0, 3, (60, 5)).astype(np.float32),
        "scores": random.normal(0, 3, (60, 9)).astype(np.float32),
    }
    expected = model.predict_arrays(feature_columns(model.features, arrays, dtype))
    network = make_network(model, backbones.load("tiny_resnet@random"))
    found = network.heads(*map(torch.from_numpy, arrays.values())).detach().numpy()
    assert network.task is model.task and found.shape == (60, model.task.width)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    if dtype == "float16":
        unrounded = model.predict_arrays(feature_columns(model.features, arrays, "float32"))
        assert np.abs(unrounded - expected).max() > 1e-5


@pytest.mark.parametrize("rounded", (True, False))
def test_each_network_reads_its_features_in_stored_precision(rounded, random):
    embeddings, scores = (torch.from_numpy(random.normal(0, 1, (7, width)).astype(np.float32)) for width in (3, 2))
    heads = Heads([("scores", nn.Identity()), ("embeddings+scores", nn.Identity())], nn.Identity(), rounded)
    found = heads(embeddings, scores).numpy()
    expected = np.hstack([scores, embeddings, scores])
    np.testing.assert_array_equal(found, expected.astype(np.float16).astype(np.float32) if rounded else expected)


def test_network_includes_preprocessing(random):
    network = with_random_head(backbones.load("tiny_resnet@random"), TASKS["expr"])
    crops = random.integers(0, 256, (2, network.size, network.size, 3), dtype=np.uint8)
    pixels = torch.from_numpy(np.ascontiguousarray(backbones.normalize(crops, network.backbone.spec.preprocessing)))
    with torch.no_grad():
        embeddings, scores = network.backbone(pixels)
        outputs, embedding = torch_module(network, embedding=True)(torch.from_numpy(crops))
        expected = network.heads(embeddings, scores)
    np.testing.assert_allclose(embedding.numpy(), embeddings.numpy(), atol=1e-5)
    np.testing.assert_allclose(outputs.numpy(), expected.numpy(), atol=1e-6)
    np.testing.assert_allclose(outputs.sum(dim=1).numpy(), 1, atol=1e-5)


def test_random_head_is_deterministic_and_counted():
    backbone = backbones.load("tiny_mobilenet@random")
    one, other = (with_random_head(backbone, TASKS["mtl"]) for _ in range(2))
    for own, second in zip(one.heads.parameters(), other.heads.parameters()):
        assert torch.equal(own, second)
    bare = ExportNetwork(backbone)
    width = backbone.embedding_width
    assert one.cost.parameters - bare.cost.parameters == 22 * (width + 1)
    assert one.cost.macs - bare.cost.macs == 22 * width
    assert (one.outputs(False), one.outputs(True), bare.outputs(False)) == (
        ("outputs",),
        ("outputs", "embedding"),
        ("embedding",),
    )
