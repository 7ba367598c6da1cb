"""A network with its preprocessing and the identity of its weights."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from backbones.cost import cost
from backbones.errors import BackboneError
from backbones.onnx_network import OnnxNetwork, untrainable_error
from backbones.spec import BackboneInfo, BackboneSpec


def hash_weights(state: Mapping[str, Tensor]) -> str:
    """sha256 hex over the sorted names, types, shapes and bytes of a state dict."""
    total = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        total.update(f"{name} {tensor.dtype} {tuple(tensor.shape)};".encode())
        total.update(tensor.reshape(-1).view(torch.uint8).numpy())
    return total.hexdigest()


def hash_network(network: nn.Module) -> str:
    """Identity of a network's weights; of one that ONNX Runtime runs, its file's."""
    return network.weights_hash if isinstance(network, OnnxNetwork) else hash_weights(network.state_dict())


class Backbone(nn.Module):
    """Face crops -> embeddings and scores; a network without a classifier gives scores [N, 0].

    network: speaks timm's protocol (`forward_features`, `forward_head`, `get_classifier`, `reset_classifier`).
    weights: `random (seed 0)`, `checkpoint <name>` or `timm <tag>`; reference: what `load` takes to give it again.
    score_labels: names of the score columns, () when they have none.
    """

    def __init__(  # noqa: PLR0913 - the parts of a backbone
        self,
        network: nn.Module,
        spec: BackboneSpec,
        weights: str,
        reference: str,
        label: str,
        score_labels: Sequence[str] = (),
        is_random: bool = False,
        checkpoints: Path | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.spec = replace(spec, score_labels=tuple(score_labels))
        self.weights = weights
        self.reference = reference
        self.label = label
        self.is_random = is_random
        self.checkpoints = checkpoints
        self._hash: str | None = None
        self._infer_output_widths()

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """float32 [N, 3, S, S], prepared by the spec -> embeddings [N, D] and scores (logits) [N, K]."""
        features = self.network.forward_features(pixels)
        embeddings = self.network.forward_head(features, pre_logits=True)
        if not self.score_width:
            return embeddings, embeddings[:, :0]
        if self._direct:
            return embeddings, self.network.get_classifier()(embeddings)
        return embeddings, self.network.forward_head(features)

    @property
    def score_labels(self) -> tuple[str, ...]:
        return self.spec.score_labels

    @property
    def trainable(self) -> bool:
        """Whether its weights can be trained here; `train` and `set_classes` are refused where they cannot."""
        return self.spec.trainable

    @property
    def weights_hash(self) -> str:
        """Identity of the weights as they are now; kept while the backbone is only evaluated."""
        if self._hash is None or self.training:
            self._hash = hash_network(self.network)
        return self._hash

    def train(self, mode: bool = True) -> Backbone:
        if mode:
            self._require_trainable()
            self._hash = None
        return super().train(mode)

    def set_classes(self, labels: Sequence[str], seed: int = 0) -> None:
        """Replace the classifier by a fresh one (seeded) for these classes, in place."""
        self._require_trainable()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network.reset_classifier(len(labels))
        self.spec = replace(self.spec, score_labels=tuple(labels), score_width=len(labels))
        self._hash = None
        self._infer_output_widths()

    def about(self) -> dict[str, Any]:
        """What a training's checkpoint keeps of it, so that an import knows it again."""
        return {
            "architecture": self.spec.name,
            "classes": list(self.score_labels),
            "preprocessing": self.spec.preprocessing.as_dict(),
        }

    def info(self) -> BackboneInfo:
        """Everything about it but the weights."""
        spent = cost(self.network, self.spec.input_size)
        return BackboneInfo(
            self.reference,
            self.label,
            self.weights,
            self.weights_hash,
            self.is_random,
            self.embedding_width,
            self.score_width,
            self.score_labels,
            spent.parameters,
            spent.macs,
            spent.size_mb,
            self.spec,
            self.checkpoints,
        )

    def _require_trainable(self) -> None:
        if not self.trainable:
            raise untrainable_error(self.label)

    @torch.no_grad()
    def _infer_output_widths(self) -> None:
        """Widths by a dry forward: timm's `num_features` is not the width of what comes out."""
        if isinstance(self.network, OnnxNetwork):
            self.embedding_width, self.score_width = self.network.widths
            self._direct = False
            return
        weight, training = next(self.network.parameters()), self.training
        self.eval()
        size = self.spec.input_size
        pixels = torch.linspace(-1, 1, 3 * size * size).reshape(1, 3, size, size).to(weight.device, weight.dtype)
        try:
            features = self.network.forward_features(pixels)
            embeddings = self.network.forward_head(features, pre_logits=True)
            scores = self.network.forward_head(features)
        except (AttributeError, TypeError, RuntimeError) as error:
            raise BackboneError(
                f"{self.spec.name} gives no embedding of a {size} x {size} crop ({error})", "choose another backbone"
            ) from error
        if embeddings.ndim != 2 or scores.ndim != 2:
            raise BackboneError(
                f"{self.spec.name} gives an embedding of shape {tuple(embeddings.shape)}, not [N, D]",
                "choose another backbone",
            )
        bare = isinstance(self.network.get_classifier(), nn.Identity)
        self.embedding_width, self.score_width = embeddings.shape[1], 0 if bare else scores.shape[1]
        self._direct = self._is_direct(embeddings, scores)
        self.train(training)

    def _is_direct(self, embeddings: Tensor, scores: Tensor) -> bool:
        """Whether the classifier works on the embedding as it is, so that the head need not run twice."""
        if embeddings.is_meta:
            return True
        classifier = self.network.get_classifier()
        if not isinstance(classifier, nn.Module):
            return False
        try:
            return torch.equal(classifier(embeddings), scores)
        except RuntimeError:
            return False
