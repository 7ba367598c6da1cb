"""What is exported: a backbone and the heads of a run as one torch module, crops in, outputs out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from backbones.cost import Cost, cost
from backbones.onnx_network import OnnxNetwork
from backbones.preprocessing import scale_and_offset
from harness.jobs.baselines import ZeroShotModel
from harness.metrics.tasks import Task
from harness.utils.errors import InputError

if TYPE_CHECKING:
    from backbones.backbone import Backbone
    from harness.jobs.base_model import JobModel
    from harness.leaderboard.runs import FinishedRun

OUTPUTS, EMBEDDING = "outputs", "embedding"
"""Names of what an exported file gives."""


class ZeroShot(nn.Module):
    """Scores [N, K] -> probabilities [N, 8] of the expressions that score columns are named after."""

    def __init__(self, columns: np.ndarray) -> None:
        """columns: [K, 8] of `harness.jobs.baselines.expression_columns`."""
        super().__init__()
        emotions = np.flatnonzero(columns.any(axis=1))
        self.register_buffer("emotions", torch.from_numpy(emotions))
        self.register_buffer("columns", torch.from_numpy(columns[emotions].astype(np.float32)))

    def forward(self, scores: Tensor) -> Tensor:
        return torch.softmax(scores[:, self.emotions], dim=1) @ self.columns


class Activation(nn.Module):
    """Logits [N, C] -> probabilities and values, as `Task.activate`."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.blocks = [(task.slices()[output.name], output.activation) for output in task.outputs]

    def forward(self, logits: Tensor) -> Tensor:
        activated = [
            torch.softmax(logits[:, columns], dim=1) if kind == "softmax" else getattr(torch, kind)(logits[:, columns])
            for columns, kind in self.blocks
        ]
        return activated[0] if len(activated) == 1 else torch.cat(activated, dim=1)


class Heads(nn.Module):
    """Embeddings [N, D] and scores [N, K] -> activated outputs [N, C] in the task's space.

    parts: (features that it reads, network) of each network, in the order of the task's outputs; after: the
    activation. rounded: features pass through float16, as those that the networks were trained on were stored.
    """

    def __init__(self, parts: Sequence[tuple[str, nn.Module]], after: nn.Module, rounded: bool) -> None:
        super().__init__()
        self.features = tuple(features for features, _ in parts)
        self.networks = nn.ModuleList(network for _, network in parts)
        self.after, self.rounded = after, rounded

    def forward(self, embeddings: Tensor, scores: Tensor) -> Tensor:
        if self.rounded:
            embeddings, scores = embeddings.half().float(), scores.half().float()
        read = {"embeddings": (embeddings,), "scores": (scores,), "embeddings+scores": (embeddings, scores)}
        logits = [
            network(torch.cat(read[features], dim=1) if len(read[features]) > 1 else read[features][0])
            for features, network in zip(self.features, self.networks)
        ]
        return self.after(logits[0] if len(logits) == 1 else torch.cat(logits, dim=1))


@dataclass(frozen=True, eq=False)
class ExportNetwork:
    """A backbone with the heads of a run on it; without heads (and task) it gives the embedding alone.

    engines: folder where the backbone's own ONNX file is kept once it is made; None: it is made anew each time.
    """

    backbone: Backbone
    heads: Heads | None = None
    task: Task | None = None
    engines: Path | None = None

    @property
    def size(self) -> int:
        """Pixels of the side of a crop as the backbone takes it."""
        return self.backbone.spec.input_size

    @cached_property
    def cost(self) -> Cost:
        """Of one crop, backbone and heads together; the standardisation counts as none."""
        own = cost(self.backbone.network, self.size)
        learned = [] if self.heads is None else list(self.heads.parameters())
        macs = None if own.macs is None else own.macs + sum(v.numel() for v in learned if v.ndim > 1)
        return Cost(own.parameters + sum(v.numel() for v in learned), macs, own.size_mb)

    def outputs(self, embedding: bool) -> tuple[str, ...]:
        """Names of the arrays that a file of it gives, in order."""
        return (OUTPUTS,) * (self.heads is not None) + (EMBEDDING,) * (embedding or self.heads is None)


def require_images(chosen: FinishedRun) -> None:
    """InputError for baselines that look at no image."""
    configuration = chosen.configuration
    if not configuration.entry or configuration.features == "noise":
        raise InputError(
            f"run {chosen.record.group_id} ({chosen.record.backbone}) looks at no image, so there is no "
            "network to export; take another run"
        )


def make_network(model: JobModel, backbone: Backbone, engines: Path | None = None) -> ExportNetwork:
    """The network of a run that `require_images` accepts: `Model.predict_arrays` as a torch module on its backbone."""
    if isinstance(model, ZeroShotModel):
        parts, activation = [("scores", ZeroShot(model.columns))], nn.Identity()
    else:
        parts = [(part.features, model.trained[part.name].module) for part in model.parts]
        activation = Activation(model.task)
    heads = Heads(parts, activation, rounded=model.entry.dtype == "float16").eval()
    return ExportNetwork(backbone, heads, model.task, engines)


def with_random_head(backbone: Backbone, task: Task) -> ExportNetwork:
    """A linear head with random weights (seed 0) on the embedding: it costs what a trained one costs."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        head = nn.Linear(backbone.embedding_width, task.width)
    return ExportNetwork(backbone, Heads([("embeddings", head)], Activation(task), False).eval(), task)


class ExportModule(nn.Module):
    """uint8 [N, S, S, 3] RGB crops of the input size -> what `ExportNetwork.outputs` names; normalisation is inside."""

    def __init__(self, network: ExportNetwork, embedding: bool) -> None:
        super().__init__()
        self.backbone, self.heads = network.backbone, network.heads
        self.embedding = embedding or network.heads is None
        scale, offset = scale_and_offset(network.backbone.spec.preprocessing)
        self.register_buffer("scale", torch.from_numpy(scale).reshape(1, 3, 1, 1))
        self.register_buffer("offset", torch.from_numpy(offset).reshape(1, 3, 1, 1))

    def forward(self, crops: Tensor) -> tuple[Tensor, ...]:
        pixels = crops.permute(0, 3, 1, 2).float() * self.scale + self.offset
        embeddings, scores = self.backbone(pixels)
        outputs = () if self.heads is None else (self.heads(embeddings, scores),)
        return outputs + ((embeddings,) if self.embedding else ())


def torch_module(network: ExportNetwork, embedding: bool = False) -> ExportModule:
    """The whole as one module in eval mode; InputError for a backbone that only ONNX Runtime runs."""
    if isinstance(network.backbone.network, OnnxNetwork):
        raise InputError(
            f"{network.backbone.label} came as an ONNX file, of which torch has no network; "
            "export it with --format onnx or openvino"
        )
    return ExportModule(network, embedding).eval()
