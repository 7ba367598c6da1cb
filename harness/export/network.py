"""The backbone and the heads of a run as one torch module that maps crops to outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor, nn

from backbones.cost import Cost, cost
from backbones.onnx_network import OnnxNetwork
from backbones.preprocessing import scale_and_offset
from harness.jobs.base_model import JobModel
from harness.jobs.baselines import ZeroShotModel
from harness.metrics.tasks import Task
from harness.utils.errors import InputError

if TYPE_CHECKING:
    from backbones.backbone import Backbone
    from harness.jobs.head_model import HeadModel
    from harness.leaderboard.finished_run import FinishedRun

OUTPUTS, EMBEDDING = "outputs", "embedding"
"""Names of the arrays that an exported file returns."""


class ZeroShot(nn.Module):
    """Map N rows of K backbone scores to probabilities of the 8 expressions; scores of other classes are ignored.

    Parameters
    ----------
    columns : ndarray of shape (K, 8)
        Expressions of the scores, as returned by `harness.jobs.baselines.expression_columns`.
    """

    emotions: Tensor
    columns: Tensor

    def __init__(self, columns: np.ndarray) -> None:
        super().__init__()
        emotions = np.flatnonzero(columns.any(axis=1))
        self.register_buffer("emotions", torch.from_numpy(emotions))
        self.register_buffer("columns", torch.from_numpy(columns[emotions].astype(np.float32)))

    def forward(self, scores: Tensor) -> Tensor:
        """Apply softmax to the expression scores, then sum the probabilities of each expression."""
        return torch.softmax(scores[:, self.emotions], dim=1) @ self.columns


class Activation(nn.Module):
    """Convert the logits of a task's outputs to probabilities and values, as `Task.activate` does."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.blocks = [(task.slices()[output.name], output.activation) for output in task.outputs]

    def forward(self, logits: Tensor) -> Tensor:
        """Activate each block of columns."""
        activated = [
            torch.softmax(logits[:, columns], dim=1) if kind == "softmax" else getattr(torch, kind)(logits[:, columns])
            for columns, kind in self.blocks
        ]
        return activated[0] if len(activated) == 1 else torch.cat(activated, dim=1)


class Heads(nn.Module):
    """Heads of a run with their activation functions: map embeddings and backbone scores to the task's outputs.

    Parameters
    ----------
    parts : sequence of (str, nn.Module)
        For each head, in the order of the task's outputs: the features that it reads, and its network.
    after : nn.Module
        Activation that is applied to the joined outputs of all heads.
    rounded : bool
        Round features to float16, like the features on which the networks were trained.
    """

    def __init__(self, parts: Sequence[tuple[str, nn.Module]], after: nn.Module, rounded: bool) -> None:
        super().__init__()
        self.features = tuple(features for features, _ in parts)
        self.networks = nn.ModuleList(network for _, network in parts)
        self.after, self.rounded = after, rounded

    def forward(self, embeddings: Tensor, scores: Tensor) -> Tensor:
        """Compute the outputs of one batch."""
        if self.rounded:
            embeddings, scores = embeddings.half().float(), scores.half().float()
        inputs = {"embeddings": (embeddings,), "scores": (scores,), "embeddings+scores": (embeddings, scores)}
        logits = [
            network(torch.cat(inputs[features], dim=1) if len(inputs[features]) > 1 else inputs[features][0])
            for features, network in zip(self.features, self.networks)
        ]
        return self.after(logits[0] if len(logits) == 1 else torch.cat(logits, dim=1))


@dataclass(frozen=True, eq=False)
class ExportNetwork:
    """A backbone with the heads of a run.

    Attributes
    ----------
    backbone : Backbone
    heads : Heads or None
        None to return only the embedding.
    task : Task or None
        None without heads.
    engines : Path or None
        Folder that caches the backbone's ONNX file; None to convert it each time.
    """

    backbone: Backbone
    heads: Heads | None = None
    task: Task | None = None
    engines: Path | None = None

    @property
    def size(self) -> int:
        """Side of the backbone's input in pixels."""
        return self.backbone.spec.input_size

    @cached_property
    def cost(self) -> Cost:
        """Cost of one crop for backbone and heads together, without the standardization of features."""
        base = cost(self.backbone.network, self.size)
        weights = [] if self.heads is None else list(self.heads.parameters())
        macs = None if base.macs is None else base.macs + sum(v.numel() for v in weights if v.ndim > 1)
        return Cost(base.parameters + sum(v.numel() for v in weights), macs, base.size_mb)

    def outputs(self, embedding: bool) -> tuple[str, ...]:
        """Return the names of the arrays that an exported file of this network returns, in order."""
        return (OUTPUTS,) * (self.heads is not None) + (EMBEDDING,) * (embedding or self.heads is None)


def require_images(run: FinishedRun) -> None:
    """Raise InputError for a baseline that reads no images."""
    configuration = run.configuration
    if not configuration.entry or configuration.features == "noise":
        raise InputError(
            f"run {run.record.group_id} ({run.record.backbone}) reads no images, so it has no "
            "network to export; choose another run"
        )


def make_network(model: JobModel, backbone: Backbone, engines: Path | None = None) -> ExportNetwork:
    """Build the network of a run: its backbone, then its heads. `require_images` must accept the run."""
    parts: list[tuple[str, nn.Module]]
    activation: nn.Module
    if isinstance(model, ZeroShotModel):
        parts, activation = [("scores", ZeroShot(model.columns))], nn.Identity()
    else:
        trained = cast("HeadModel", model)
        parts = [(part.features, trained.trained[part.name].module) for part in trained.parts]
        activation = Activation(model.task)
    heads = Heads(parts, activation, rounded=model.entry.dtype == "float16").eval()
    return ExportNetwork(backbone, heads, model.task, engines)


def with_random_head(backbone: Backbone, task: Task) -> ExportNetwork:
    """Build a network with a random linear head (seed 0) on the embedding, which costs as much as a trained head."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        head = nn.Linear(backbone.embedding_width, task.width)
    return ExportNetwork(backbone, Heads([("embeddings", head)], Activation(task), False).eval(), task)


class ExportModule(nn.Module):
    """Normalize uint8 RGB crops of the input size and compute the arrays that `ExportNetwork.outputs` names."""

    scale: Tensor
    offset: Tensor

    def __init__(self, network: ExportNetwork, embedding: bool) -> None:
        super().__init__()
        self.backbone, self.heads = network.backbone, network.heads
        self.embedding = embedding or network.heads is None
        scale, offset = scale_and_offset(network.backbone.spec.preprocessing)
        self.register_buffer("scale", torch.from_numpy(scale).reshape(1, 3, 1, 1))
        self.register_buffer("offset", torch.from_numpy(offset).reshape(1, 3, 1, 1))

    def forward(self, crops: Tensor) -> tuple[Tensor, ...]:
        """Compute the outputs of one batch."""
        pixels = crops.permute(0, 3, 1, 2).float() * self.scale + self.offset
        embeddings, scores = self.backbone(pixels)
        outputs = () if self.heads is None else (self.heads(embeddings, scores),)
        return outputs + ((embeddings,) if self.embedding else ())


def torch_module(network: ExportNetwork, embedding: bool = False) -> ExportModule:
    """Build one module in eval mode; raise InputError for a backbone that was imported as an ONNX file."""
    if isinstance(network.backbone.network, OnnxNetwork):
        raise InputError(
            f"{network.backbone.label} was imported as an ONNX file and has no torch network; "
            "export it with --format onnx or openvino"
        )
    return ExportModule(network, embedding).eval()


class NamedOutputs(nn.Module):
    """`ExportModule` that returns a dictionary of arrays by name."""

    def __init__(self, network: ExportNetwork, embedding: bool) -> None:
        super().__init__()
        self.whole = torch_module(network, embedding)
        self.names = network.outputs(embedding)
        self.eval()

    def forward(self, crops: Tensor) -> dict[str, Tensor]:
        """Compute the outputs of one batch."""
        return dict(zip(self.names, self.whole(crops)))
