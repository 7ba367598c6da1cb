"""Checkpoint folders: `model.safetensors` beside `card.json`, which says all that is needed to use it rightly."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backbones.aside import writing_folder
from backbones.catalogue import constructor
from backbones.errors import BackboneError
from backbones.spec import BackboneInfo, BackboneSpec, Preprocessing

if TYPE_CHECKING:
    from torch import Tensor

    from backbones.backbone import Backbone

MODEL, CARD = "model.safetensors", "card.json"
FORMAT = 1
REQUIRED = ("name", "architecture", "preprocessing", "classes", "embedding_width", "score_width", "parameters", "macs",
            "size_mb", "weights_hash", "licence")


def save_checkpoint(folder: Path, backbone: Backbone, card: Mapping[str, Any]) -> Path:
    """Write a checkpoint folder aside and put it in place; what was there before is replaced.

    card: what the caller knows: `name` (default: the folder's), `data`, `data_digest`, `parent`, `metrics`,
    `licence`, `source`, ... as JSON types. Architecture, preprocessing, classes, widths, cost and the weights hash
    are filled in from the backbone and cannot be overridden.
    """
    from safetensors.torch import save

    folder = Path(folder)
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in backbone.network.state_dict().items()}
    text = json.dumps(_card(folder, backbone, card), indent=1, sort_keys=True) + "\n"
    with writing_folder(folder) as aside:
        (aside / MODEL).write_bytes(save(state))
        (aside / CARD).write_text(text, encoding="utf-8")
    return folder


def _card(folder: Path, backbone: Backbone, card: Mapping[str, Any]) -> dict[str, Any]:
    from backbones.backbone import hash_weights

    info = backbone.info()
    fixed = {"format": FORMAT, "architecture": backbone.spec.name,
             "preprocessing": backbone.spec.preprocessing.as_dict(), "classes": list(backbone.score_labels),
             "embedding_width": info.embedding_width, "score_width": info.score_width,
             "parameters": info.parameters, "macs": info.macs, "size_mb": info.size_mb,
             "weights_hash": hash_weights(backbone.network.state_dict())}
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
    absent = [key for key in REQUIRED if not isinstance(card, dict) or key not in card]
    if absent:
        raise BackboneError(f"{path} lacks {', '.join(absent)}", "save the checkpoint again")
    if card.get("format", FORMAT) > FORMAT:
        raise BackboneError(f"{path} is of format {card['format']}, newer than this version reads ({FORMAT})",
                            "upgrade framelight")
    return card


def entries(checkpoints: Path | None) -> dict[str, Path]:
    """Folders of trained and imported backbones by their names, in name order; no card is read."""
    if checkpoints is None or not Path(checkpoints).is_dir():
        return {}
    folders = sorted(path for path in Path(checkpoints).iterdir() if not path.name.startswith("."))
    return {path.name: path for path in folders if is_checkpoint(path)}


def answering(checkpoints: Path | None) -> dict[str, Path]:
    """Entries by every name they answer to: the folder's, and the card's where one entry alone has it."""
    found = entries(checkpoints)
    carded: dict[str, list[Path]] = {}
    for path in found.values():
        try:
            carded.setdefault(str(read_card(path)["name"]), []).append(path)
        except BackboneError:
            continue  # said when that entry is asked for; the others are sound
    return {name: paths[0] for name, paths in carded.items() if len(paths) == 1} | found


def spec_from(card: Mapping[str, Any]) -> BackboneSpec:
    """The spec of a checkpoint: its architecture with the preprocessing and classes of its own card."""
    return BackboneSpec(card["architecture"], constructor(card["architecture"]),
                        Preprocessing.from_dict(card["preprocessing"]), tuple(card["classes"]), card["licence"],
                        str(card.get("source", "")), None, int(card["score_width"]))


def info_from(card: Mapping[str, Any], reference: str, checkpoints: Path | None) -> BackboneInfo:
    """What a card says of its backbone, without reading the weights (their hash is verified when they are loaded)."""
    spec, name = spec_from(card), str(card["name"])
    return BackboneInfo(reference, name, f"checkpoint {name}", card["weights_hash"], False,
                        int(card["embedding_width"]), int(card["score_width"]), spec.score_labels,
                        int(card["parameters"]), int(card["macs"]), float(card["size_mb"]), spec, checkpoints)


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
        raise BackboneError(f"{path} cannot be read: {error}",
                            "restore the file or save the checkpoint again") from error
    if hash_weights(state) != card["weights_hash"]:
        raise BackboneError(f"{path} was altered: its weights hash is not the one in {CARD}",
                            "restore the file or save the checkpoint again")
    return state


def fill(network: Any, state: Mapping[str, Tensor], where: str, architecture: str) -> None:
    """Put the tensors into a network; BackboneError naming the first that do not fit."""
    expected = network.state_dict()
    wrong = [f"{name}: {_shape(state.get(name))} in the file, {_shape(expected.get(name))} expected"
             for name in [*expected, *(name for name in state if name not in expected)]
             if _shape(state.get(name)) != _shape(expected.get(name))]
    if wrong:
        shown = "; ".join(wrong[:3])
        raise BackboneError(f"{where} is not a {architecture}: {len(wrong)} of its tensors do not fit ({shown})",
                            "name the architecture it was made with")
    network.load_state_dict(state)


def _shape(tensor: Tensor | None) -> str:
    return "absent" if tensor is None else "x".join(map(str, tensor.shape)) or "scalar"
