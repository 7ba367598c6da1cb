"""The `Backbone` module: a network with its preprocessing and a hash of its weights."""

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
    """Hash the weights of a network.

    Parameters
    ----------
    state : mapping of str to Tensor
        A state dict.

    Returns
    -------
    str
        SHA-256 hex digest of the names (sorted), dtypes, shapes and bytes of the tensors.

    Examples
    --------
    >>> import torch
    >>> from backbones import hash_weights
    >>> state = {"weight": torch.ones(2, 3), "bias": torch.zeros(2)}
    >>> hash_weights(state) == hash_weights(dict(reversed(state.items())))
    True
    >>> hash_weights(state) == hash_weights({**state, "bias": torch.ones(2)})
    False
    """
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)};".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def hash_network(network: nn.Module) -> str:
    """Hash the weights of a network; for an `OnnxNetwork`, return the hash of its file."""
    return network.weights_hash if isinstance(network, OnnxNetwork) else hash_weights(network.state_dict())


class Backbone(nn.Module):
    """Network that maps prepared face crops to embeddings and scores.

    Parameters
    ----------
    network : nn.Module
        A module with timm's interface: `forward_features`, `forward_head`, `get_classifier`, `reset_classifier`.
    spec : BackboneSpec
        The architecture, and the preprocessing that the weights expect.
    weights : str
        Source of the weights: `random (seed 0)`, `checkpoint <name>` or `timm <tag>`.
    reference : str
        Name of the backbone, NAME[@WEIGHTS], with which `load` returns this backbone again.
    label : str
        The name shown in results.
    score_labels : sequence of str
        Names of the score columns; empty if the columns are unnamed.
    is_random : bool
        Whether the weights are untrained.
    checkpoints : Path, optional
        The folder of trained and imported backbones in which `load` looks up `reference`.

    Attributes
    ----------
    embedding_width : int
        Number of embedding columns, D.
    score_width : int
        Number of score columns, K; 0 for a network without a classifier.

    Raises
    ------
    BackboneError
        If the network does not return one embedding vector for each crop.
    """

    network: Any
    """An `nn.Module`; typed as Any because `nn.Module` does not declare the methods of timm's interface."""

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
        """Compute embeddings and scores.

        Parameters
        ----------
        pixels : Tensor
            Crops after the preprocessing (see `backbones.prepare`), float32 of shape (N, 3, S, S) for the input size S.

        Returns
        -------
        embeddings : Tensor
            Shape (N, D), where D is the embedding width.
        scores : Tensor
            Logits of shape (N, K), where K is the number of score columns.
        """
        features = self.network.forward_features(pixels)
        embeddings = self.network.forward_head(features, pre_logits=True)
        if not self.score_width:
            return embeddings, embeddings[:, :0]
        if self._direct:
            return embeddings, self.network.get_classifier()(embeddings)
        return embeddings, self.network.forward_head(features)

    @property
    def score_labels(self) -> tuple[str, ...]:
        """Names of the score columns; empty if the columns are unnamed."""
        return self.spec.score_labels

    @property
    def trainable(self) -> bool:
        """Whether the weights can be trained; if not, `train(True)` and `set_classes` raise BackboneError.

        See `make_trainable` for networks that run through ONNX Runtime.
        """
        return not isinstance(self.network, OnnxNetwork)

    @property
    def weights_hash(self) -> str:
        """Hash of the current weights, cached while the backbone is in eval mode."""
        if self._hash is None or self.training:
            self._hash = hash_network(self.network)
        return self._hash

    def train(self, mode: bool = True) -> Backbone:
        """Set training or evaluation mode.

        Parameters
        ----------
        mode : bool
            True for training mode.

        Returns
        -------
        Backbone
            This backbone.

        Raises
        ------
        BackboneError
            If `mode` is True and the backbone is not trainable.
        """
        if mode:
            self._require_trainable()
            self._hash = None
        return super().train(mode)

    def set_classes(self, labels: Sequence[str], seed: int = 0) -> None:
        """Replace the classifier in place by a randomly initialized one.

        Parameters
        ----------
        labels : sequence of str
            Names of the classes.
        seed : int
            Seed of the initialization.

        Raises
        ------
        BackboneError
            If the backbone is not trainable.
        """
        self._require_trainable()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network.reset_classifier(len(labels))
        self.spec = replace(self.spec, score_labels=tuple(labels), score_width=len(labels))
        self._hash = None
        self._infer_output_widths()

    def about(self) -> dict[str, Any]:
        """Return metadata with which `framelight backbones import` rebuilds the backbone from a training checkpoint.

        Returns
        -------
        dict
            JSON types with the keys `architecture`, `classes` and `preprocessing`.
        """
        return {
            "architecture": self.spec.name,
            "classes": list(self.score_labels),
            "preprocessing": self.spec.preprocessing.as_dict(),
        }

    def info(self) -> BackboneInfo:
        """Return a description of the backbone without its weights."""
        network_cost = cost(self.network, self.spec.input_size)
        return BackboneInfo(
            self.reference,
            self.label,
            self.weights,
            self.weights_hash,
            self.is_random,
            self.embedding_width,
            self.score_width,
            self.score_labels,
            network_cost.parameters,
            network_cost.macs,
            network_cost.size_mb,
            self.spec,
            self.checkpoints,
        )

    def _require_trainable(self) -> None:
        if not self.trainable:
            raise untrainable_error(self.label)

    @torch.no_grad()
    def _infer_output_widths(self) -> None:
        """Infer the output widths from a forward pass: timm's `num_features` may differ from the embedding width."""
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
        except (AttributeError, TypeError, RuntimeError, AssertionError) as error:
            raise BackboneError(
                f"{self.spec.name} cannot embed a {size} x {size} crop ({error})", "choose another backbone"
            ) from error
        if embeddings.ndim != 2 or scores.ndim != 2:
            raise BackboneError(
                f"{self.spec.name} returns embeddings of shape {tuple(embeddings.shape)} and scores of shape "
                f"{tuple(scores.shape)}; both must have two dimensions",
                "choose another backbone",
            )
        has_classifier = not isinstance(self.network.get_classifier(), nn.Identity)
        self.embedding_width, self.score_width = embeddings.shape[1], scores.shape[1] if has_classifier else 0
        self._direct = self._is_direct(embeddings, scores)
        self.train(training)

    def _is_direct(self, embeddings: Tensor, scores: Tensor) -> bool:
        """Whether the classifier takes the embedding unchanged, so that one pass through the head is enough."""
        if embeddings.is_meta:
            return True
        classifier = self.network.get_classifier()
        if not isinstance(classifier, nn.Module):
            return False
        try:
            return torch.equal(classifier(embeddings), scores)
        except RuntimeError:
            return False
