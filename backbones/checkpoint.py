"""Read and write checkpoint folders: `model.safetensors` or `model.onnx` with the metadata in `card.json`."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backbones.atomic_files import atomic_write_dir
from backbones.card import CARD, FORMAT, ONNX_ENGINE
from backbones.errors import BackboneError
from backbones.regular_files import hash_file, require_regular

if TYPE_CHECKING:
    from torch import Tensor

    from backbones.backbone import Backbone
    from backbones.onnx_network import OnnxNetwork

MODEL, ONNX_MODEL = "model.safetensors", "model.onnx"


def save_checkpoint(
    folder: Path, backbone: Backbone, card: Mapping[str, Any], files: Mapping[str, bytes] | None = None
) -> Path:
    """Write a checkpoint folder atomically; an existing one is replaced.

    A graph that was converted by `make_trainable` is written as an ONNX model again.

    Parameters
    ----------
    folder : Path
        The folder to write.
    backbone : Backbone
        The backbone to save.
    card : mapping
        Further metadata as JSON types, such as `name` (by default the name of the folder), `data`, `data_digest`,
        `parent`, `metrics`, `licence` and `source`. Architecture, preprocessing, classes, widths, cost and the weights
        hash are taken from the backbone and cannot be overridden.
    files : mapping of str to bytes, optional
        Further files by name.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    WriteError
        If the folder cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import backbones
    >>> checkpoints = Path(tempfile.mkdtemp())
    >>> backbone = backbones.build("tiny_mobilenet", classes=("calm", "tense"), seed=1)
    >>> folder = backbones.save_checkpoint(checkpoints / "mine", backbone, {"data": "example"})
    >>> backbones.read_card(folder)["classes"]
    ['calm', 'tense']
    >>> backbones.load("mine", checkpoints).weights_hash == backbone.weights_hash
    True
    """
    from backbones.onnx_torch import TorchGraph
    from backbones.trainable import store_as_onnx

    folder = Path(folder)
    if isinstance(backbone.network, TorchGraph):
        with tempfile.TemporaryDirectory() as temp_dir:
            stored = store_as_onnx(backbone, Path(temp_dir) / ONNX_MODEL)
            return save_checkpoint(folder, stored, {"name": folder.name, **card}, files)
    text = json.dumps(_build_card(folder, backbone, card), indent=1, sort_keys=True) + "\n"
    with atomic_write_dir(folder) as tmp_path:
        _write_model(tmp_path, backbone)
        for name, content in (files or {}).items():
            (tmp_path / name).write_bytes(content)
        (tmp_path / CARD).write_text(text, encoding="utf-8")
    return folder


def _write_model(folder: Path, backbone: Backbone) -> None:
    from safetensors.torch import save

    from backbones.onnx_network import OnnxNetwork

    if isinstance(backbone.network, OnnxNetwork):
        shutil.copyfile(backbone.network.path, folder / ONNX_MODEL)
        return
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in backbone.network.state_dict().items()}
    (folder / MODEL).write_bytes(save(state))


def _build_card(folder: Path, backbone: Backbone, card: Mapping[str, Any]) -> dict[str, Any]:
    from backbones.backbone import hash_network
    from backbones.onnx_network import OnnxNetwork

    info = backbone.info()
    fixed = {
        "format": FORMAT,
        "architecture": backbone.spec.name,
        "preprocessing": backbone.spec.preprocessing.as_dict(),
        "classes": list(backbone.score_labels),
        "embedding_width": info.embedding_width,
        "score_width": info.score_width,
        "parameters": info.parameters,
        "macs": info.macs,
        "size_mb": info.size_mb,
        "weights_hash": hash_network(backbone.network),
    }
    if isinstance(backbone.network, OnnxNetwork):
        fixed |= {"engine": ONNX_ENGINE, "ports": backbone.network.ports.as_dict()}
    return {"name": folder.name, "licence": backbone.spec.licence, "source": backbone.spec.source, **card, **fixed}


def read_state(folder: Path, card: Mapping[str, Any]) -> dict[str, Tensor]:
    """Read the weights of a checkpoint and verify their hash.

    Parameters
    ----------
    folder : Path
        The checkpoint folder.
    card : mapping
        Its card.

    Returns
    -------
    dict of str to Tensor
        The state dict.

    Raises
    ------
    BackboneError
        If the file is missing or damaged, or does not match the hash in the card.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from backbones.backbone import hash_weights

    path = Path(folder) / MODEL
    try:
        require_regular(path)
        state = load_file(path)
    except FileNotFoundError as error:
        raise BackboneError(f"no weights at {path}", "save the checkpoint again") from error
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise BackboneError(
            f"{path} cannot be read: {error}", "restore the file or save the checkpoint again"
        ) from error
    _verify_hash(path, hash_weights(state), card)
    return state


def read_onnx(folder: Path, card: Mapping[str, Any]) -> OnnxNetwork:
    """Read the ONNX model of a checkpoint and verify its hash; the session is opened at the first forward pass.

    Parameters
    ----------
    folder : Path
        The checkpoint folder.
    card : mapping
        Its card.

    Returns
    -------
    OnnxNetwork
        The network.

    Raises
    ------
    BackboneError
        If the file is missing, damaged or does not match the hash in the card, if the model needs further files or
        contains loops, or if the card lacks the output names.
    """
    from backbones.onnx_graph import read_graph
    from backbones.onnx_network import OnnxNetwork, Ports

    path = Path(folder) / ONNX_MODEL
    try:
        digest = hash_file(path)
    except FileNotFoundError as error:
        raise BackboneError(f"no weights at {path}", "import the model again") from error
    except OSError as error:
        raise BackboneError(f"{path} cannot be read: {error.strerror or error}", "import the model again") from error
    _verify_hash(path, digest, card)
    graph = read_graph(path)
    graph.require_single_file(path)
    graph.require_no_loops(path)
    try:
        ports = Ports(**card["ports"])
        ports.validate()
    except (KeyError, TypeError, ValueError) as error:
        raise BackboneError(
            f"{Path(folder) / CARD} does not name the outputs of the model: {error}", "import the model again"
        ) from error
    widths = int(card["embedding_width"]), int(card["score_width"])
    return OnnxNetwork(path, ports, widths, int(card["parameters"]), digest, card["macs"])


def _verify_hash(path: Path, digest: str, card: Mapping[str, Any]) -> None:
    if digest != card["weights_hash"]:
        raise BackboneError(
            f"{path} was modified: its hash differs from weights_hash in {CARD}",
            "restore the file or save the checkpoint again",
        )
