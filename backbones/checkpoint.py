"""Read and write checkpoint folders: `model.safetensors` or `model.onnx` with the metadata in `card.json`."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backbones.atomic_files import atomic_write_dir
from backbones.catalogue import constructor
from backbones.errors import BackboneError
from backbones.spec import ONNX_CONSTRUCTOR, BackboneInfo, BackboneSpec, Preprocessing

if TYPE_CHECKING:
    from torch import Tensor

    from backbones.backbone import Backbone
    from backbones.onnx_network import OnnxNetwork

MODEL, ONNX_MODEL, CARD = "model.safetensors", "model.onnx", "card.json"
ONNX_ENGINE = "onnxruntime"
"""Value of `engine` in the card of a model that runs through ONNX Runtime; other cards have no such key."""
FORMAT = 1
REQUIRED_KEYS = (
    "name",
    "architecture",
    "preprocessing",
    "classes",
    "embedding_width",
    "score_width",
    "parameters",
    "macs",
    "size_mb",
    "weights_hash",
    "licence",
)


def save_checkpoint(folder: Path, backbone: Backbone, card: Mapping[str, Any]) -> Path:
    """Write a checkpoint folder atomically; an existing one is replaced.

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
    folder = Path(folder)
    text = json.dumps(_build_card(folder, backbone, card), indent=1, sort_keys=True) + "\n"
    with atomic_write_dir(folder) as tmp_path:
        _write_model(tmp_path, backbone)
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


def is_checkpoint(folder: Path) -> bool:
    """Return whether a folder contains a card."""
    return (folder / CARD).is_file()


def read_card(folder: Path) -> dict[str, Any]:
    """Read and validate the card of a checkpoint folder.

    Parameters
    ----------
    folder : Path
        The checkpoint folder.

    Returns
    -------
    dict
        The card, with at least `REQUIRED_KEYS`.

    Raises
    ------
    BackboneError
        If the card is missing, damaged, incomplete or of a newer format, or its preprocessing is invalid.

    Examples
    --------
    >>> import backbones
    >>> backbones.read_card("missing")
    Traceback (most recent call last):
    backbones.errors.BackboneError: no checkpoint at missing: it has no card.json
    """
    path = Path(folder) / CARD
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BackboneError(f"no checkpoint at {folder}: it has no {CARD}") from error
    except (OSError, ValueError) as error:
        raise BackboneError(f"{path} cannot be read: {error}", "save the checkpoint again") from error
    missing_keys = [key for key in REQUIRED_KEYS if not isinstance(card, dict) or key not in card]
    if missing_keys:
        raise BackboneError(f"{path} lacks {', '.join(missing_keys)}", "save the checkpoint again")
    if card.get("format", FORMAT) > FORMAT:
        raise BackboneError(
            f"{path} has format {card['format']}, but this version reads formats up to {FORMAT}", "upgrade framelight"
        )
    try:
        Preprocessing.from_dict(card["preprocessing"])
    except BackboneError as error:
        raise BackboneError(f"{path}: {error.message}", "correct the file, or save the checkpoint again") from error
    return dict(card)


def entries(checkpoints: Path | None) -> dict[str, Path]:
    """List the trained and imported backbones without reading their cards.

    Parameters
    ----------
    checkpoints : Path or None
        The folder that contains them.

    Returns
    -------
    dict of str to Path
        Checkpoint folders by name, sorted; empty if `checkpoints` is None or not a folder.

    Examples
    --------
    >>> import backbones
    >>> backbones.entries(None)
    {}
    """
    if checkpoints is None or not Path(checkpoints).is_dir():
        return {}
    folders = sorted(path for path in Path(checkpoints).iterdir() if not path.name.startswith("."))
    return {path.name: path for path in folders if is_checkpoint(path)}


def entries_by_name(checkpoints: Path | None) -> dict[str, Path]:
    """Map names to entries: the names of their folders, and those in their cards that are unique."""
    unique = {name: paths[0] for name, paths in entries_by_card(checkpoints).items() if len(paths) == 1}
    return unique | entries(checkpoints)


def entries_by_card(checkpoints: Path | None) -> dict[str, list[Path]]:
    """Group entries by the names in their cards, which several trainings of one recipe share."""
    folders: dict[str, list[Path]] = {}
    for path in entries(checkpoints).values():
        try:
            folders.setdefault(str(read_card(path)["name"]), []).append(path)
        except BackboneError:
            continue  # reported when that entry itself is loaded
    return folders


def is_onnx(card: Mapping[str, Any]) -> bool:
    """Return whether the model of a card runs through ONNX Runtime; raise BackboneError for an unknown engine."""
    engine = card.get("engine")
    if engine not in (None, ONNX_ENGINE):
        raise BackboneError(
            f"checkpoint {card['name']} needs the engine '{engine}', which this version does not support",
            "upgrade framelight",
        )
    return bool(engine == ONNX_ENGINE)


def spec_from_card(card: Mapping[str, Any]) -> BackboneSpec:
    """Return the spec of a checkpoint, with the preprocessing and classes of its card."""
    return BackboneSpec(
        card["architecture"],
        ONNX_CONSTRUCTOR if is_onnx(card) else constructor(card["architecture"]),
        Preprocessing.from_dict(card["preprocessing"]),
        tuple(card["classes"]),
        card["licence"],
        str(card.get("source", "")),
        None,
        int(card["score_width"]),
    )


def info_from_card(card: Mapping[str, Any], reference: str, checkpoints: Path | None) -> BackboneInfo:
    """Return the metadata of a checkpoint from its card alone; the hash of the weights is not verified.

    Parameters
    ----------
    card : mapping
        See `read_card`.
    reference : str
        The reference of the backbone.
    checkpoints : Path or None
        The folder that `reference` refers to.

    Returns
    -------
    BackboneInfo
        The same metadata as after loading the backbone.
    """
    spec, name = spec_from_card(card), str(card["name"])
    return BackboneInfo(
        reference,
        name,
        f"checkpoint {name}",
        card["weights_hash"],
        False,
        int(card["embedding_width"]),
        int(card["score_width"]),
        spec.score_labels,
        int(card["parameters"]),
        None if card["macs"] is None else int(card["macs"]),
        float(card["size_mb"]),
        spec,
        checkpoints,
    )


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
        state = load_file(path)
    except FileNotFoundError as error:
        raise BackboneError(f"no weights at {path}", "save the checkpoint again") from error
    except (SafetensorError, OSError, ValueError) as error:
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
        If the file is missing or damaged, does not match the hash in the card, or the card does not name its outputs.
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
    read_graph(path).require_single_file(path)
    try:
        ports = Ports(**card["ports"])
    except (KeyError, TypeError) as error:
        raise BackboneError(
            f"{Path(folder) / CARD} does not name the outputs of the model: {error}", "import the model again"
        ) from error
    widths = int(card["embedding_width"]), int(card["score_width"])
    return OnnxNetwork(path, ports, widths, int(card["parameters"]), digest)


def hash_file(path: Path) -> str:
    """Return the SHA-256 hex digest of a file; raises OSError if it cannot be read."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _verify_hash(path: Path, digest: str, card: Mapping[str, Any]) -> None:
    if digest != card["weights_hash"]:
        raise BackboneError(
            f"{path} was modified: its hash differs from weights_hash in {CARD}",
            "restore the file or save the checkpoint again",
        )


def load_weights(network: Any, state: Mapping[str, Tensor], where: str, architecture: str) -> None:
    """Load a state dict into a network; raise BackboneError if it does not fit, see `check_state_dict`."""
    check_state_dict(state, network.state_dict(), where, architecture)
    network.load_state_dict(state)


def check_state_dict(
    state: Mapping[str, Tensor],
    expected: Mapping[str, Tensor],
    where: str,
    architecture: str,
    hint: str = "specify the architecture of the weights",
) -> None:
    """Check that a state dict has the expected tensors.

    Parameters
    ----------
    state : mapping of str to Tensor
        The tensors of a file.
    expected : mapping of str to Tensor
        Tensors with the expected names, shapes and dtypes; their values are not used.
    where : str
        Path of the file, for the message.
    architecture : str
        Name of the expected architecture, for the message.
    hint : str
        What the user can do about it.

    Raises
    ------
    BackboneError
        If tensors are missing, unexpected, or of another shape or kind of dtype; the message lists up to three.
    """
    names = [*expected, *(name for name in state if name not in expected)]
    pairs = [(name, *_describe_tensors(state.get(name), expected.get(name))) for name in names]
    wrong = [f"{name}: {theirs} in the file, {ours} expected" for name, theirs, ours in pairs if theirs != ours]
    if wrong:
        shown = "; ".join(wrong[:3])
        count = "1 tensor does" if len(wrong) == 1 else f"{len(wrong)} tensors do"
        raise BackboneError(f"{where} does not contain the weights of {architecture}: {count} not fit ({shown})", hint)


def _describe_tensors(tensor: Tensor | None, expected: Tensor | None) -> tuple[str, str]:
    """Describe two tensors by shape, and by dtype if quantized or complex values cannot be converted to real ones."""
    theirs, ours = _format_shape(tensor), _format_shape(expected)
    if tensor is None or expected is None or not expected.is_floating_point():
        return theirs, ours
    is_real = tensor.is_floating_point() and tensor.element_size() > 1
    if is_real:
        return theirs, ours
    return f"{theirs} of {str(tensor.dtype).removeprefix('torch.')}", f"{ours} of float32"


def _format_shape(tensor: Tensor | None) -> str:
    return "absent" if tensor is None else "x".join(map(str, tensor.shape)) or "scalar"
