"""Checkpoint folders: `model.safetensors` or `model.onnx` beside `card.json`, which says all that is needed to use it."""

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
"""What a card names as `engine` where torch is not what runs the model."""
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
    """Write a checkpoint folder aside and put it in place; what was there before is replaced.

    card: what the caller knows: `name` (default: the folder's), `data`, `data_digest`, `parent`, `metrics`,
    `licence`, `source`, ... as JSON types. Architecture, preprocessing, classes, widths, cost and the weights hash
    are filled in from the backbone and cannot be overridden.
    """
    folder = Path(folder)
    text = json.dumps(_build_card(folder, backbone, card), indent=1, sort_keys=True) + "\n"
    with atomic_write_dir(folder) as aside:
        _write_model(aside, backbone)
        (aside / CARD).write_text(text, encoding="utf-8")
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
    return (folder / CARD).is_file()


def read_card(folder: Path) -> dict[str, Any]:
    """The card of a checkpoint folder; BackboneError naming the file when it is absent or not understood."""
    path = Path(folder) / CARD
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BackboneError(f"no checkpoint at {folder}: it has no {CARD}") from error
    except (OSError, ValueError) as error:
        raise BackboneError(f"{path} cannot be read: {error}", "save the checkpoint again") from error
    absent = [key for key in REQUIRED_KEYS if not isinstance(card, dict) or key not in card]
    if absent:
        raise BackboneError(f"{path} lacks {', '.join(absent)}", "save the checkpoint again")
    if card.get("format", FORMAT) > FORMAT:
        raise BackboneError(
            f"{path} is of format {card['format']}, newer than this version reads ({FORMAT})", "upgrade framelight"
        )
    try:
        Preprocessing.from_dict(card["preprocessing"])
    except BackboneError as error:
        raise BackboneError(f"{path}: {error.message}", "correct it there, or save the checkpoint again") from error
    return card


def entries(checkpoints: Path | None) -> dict[str, Path]:
    """Folders of trained and imported backbones by their names, in name order; no card is read."""
    if checkpoints is None or not Path(checkpoints).is_dir():
        return {}
    folders = sorted(path for path in Path(checkpoints).iterdir() if not path.name.startswith("."))
    return {path.name: path for path in folders if is_checkpoint(path)}


def entries_by_name(checkpoints: Path | None) -> dict[str, Path]:
    """Entries by every name they answer to: the folder's, and the card's where one entry alone has it."""
    alone = {name: paths[0] for name, paths in entries_by_card(checkpoints).items() if len(paths) == 1}
    return alone | entries(checkpoints)


def entries_by_card(checkpoints: Path | None) -> dict[str, list[Path]]:
    """Entries by the names on their cards, which several trainings of one recipe share."""
    found: dict[str, list[Path]] = {}
    for path in entries(checkpoints).values():
        try:
            found.setdefault(str(read_card(path)["name"]), []).append(path)
        except BackboneError:
            continue  # said when that entry is asked for; the others are sound
    return found


def is_onnx(card: Mapping[str, Any]) -> bool:
    """Whether ONNX Runtime runs the model; BackboneError for an engine that is not known."""
    engine = card.get("engine")
    if engine not in (None, ONNX_ENGINE):
        raise BackboneError(
            f"checkpoint {card['name']} is run by '{engine}', which this version does not know", "upgrade framelight"
        )
    return engine == ONNX_ENGINE


def spec_from_card(card: Mapping[str, Any]) -> BackboneSpec:
    """The spec of a checkpoint: its architecture with the preprocessing and classes of its own card."""
    made_by = ONNX_CONSTRUCTOR if is_onnx(card) else constructor(card["architecture"])
    return BackboneSpec(
        card["architecture"],
        made_by,
        Preprocessing.from_dict(card["preprocessing"]),
        tuple(card["classes"]),
        card["licence"],
        str(card.get("source", "")),
        None,
        int(card["score_width"]),
    )


def info_from_card(card: Mapping[str, Any], reference: str, checkpoints: Path | None) -> BackboneInfo:
    """What a card says of its backbone, without reading the weights (their hash is verified when they are loaded)."""
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
    """The tensors of a checkpoint, their hash verified against the card."""
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
    """The ONNX model of a checkpoint, its hash verified against the card; no session is made yet."""
    from backbones.onnx_graph import read_graph
    from backbones.onnx_network import OnnxNetwork, Ports

    path = Path(folder) / ONNX_MODEL
    try:
        found = hash_file(path)
    except FileNotFoundError as error:
        raise BackboneError(f"no weights at {path}", "import the model again") from error
    except OSError as error:
        raise BackboneError(f"{path} cannot be read: {error.strerror or error}", "import the model again") from error
    _verify_hash(path, found, card)
    read_graph(path).require_single_file(path)
    try:
        ports = Ports(**card["ports"])
    except (KeyError, TypeError) as error:
        raise BackboneError(
            f"{Path(folder) / CARD} does not say which outputs to take: {error}", "import the model again"
        ) from error
    widths = int(card["embedding_width"]), int(card["score_width"])
    return OnnxNetwork(path, ports, widths, int(card["parameters"]), found)


def hash_file(path: Path) -> str:
    """sha256 hex of a file's bytes; OSError as `open` raises it."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _verify_hash(path: Path, found: str, card: Mapping[str, Any]) -> None:
    if found != card["weights_hash"]:
        raise BackboneError(
            f"{path} was altered: its weights hash is not the one in {CARD}",
            "restore the file or save the checkpoint again",
        )


def load_weights(network: Any, state: Mapping[str, Tensor], where: str, architecture: str) -> None:
    """Put the tensors into a network; BackboneError naming the first that do not fit."""
    check_state_dict(state, network.state_dict(), where, architecture)
    network.load_state_dict(state)


def check_state_dict(
    state: Mapping[str, Tensor],
    expected: Mapping[str, Tensor],
    where: str,
    architecture: str,
    hint: str = "name the architecture it was made with",
) -> None:
    """BackboneError naming the first tensors that are missing, surplus or not of the shape and kind expected."""
    names = [*expected, *(name for name in state if name not in expected)]
    pairs = [(name, *_describe_tensors(state.get(name), expected.get(name))) for name in names]
    wrong = [f"{name}: {theirs} in the file, {ours} expected" for name, theirs, ours in pairs if theirs != ours]
    if wrong:
        shown = "; ".join(wrong[:3])
        count = "1 tensor does" if len(wrong) == 1 else f"{len(wrong)} tensors do"
        raise BackboneError(f"{where} does not hold the weights of {architecture}: {count} not fit ({shown})", hint)


def _describe_tensors(found: Tensor | None, expected: Tensor | None) -> tuple[str, str]:
    """The two in words; quantised or complex numbers where real ones belong are no values of those."""
    theirs, ours = _format_shape(found), _format_shape(expected)
    if found is None or expected is None or not expected.is_floating_point():
        return theirs, ours
    real = found.is_floating_point() and found.element_size() > 1
    return (theirs, ours) if real else (f"{theirs} of {str(found.dtype).removeprefix('torch.')}", f"{ours} of float32")


def _format_shape(tensor: Tensor | None) -> str:
    return "absent" if tensor is None else "x".join(map(str, tensor.shape)) or "scalar"
