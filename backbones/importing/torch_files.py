"""Read networks, state dicts and Lightning checkpoints written by torch.save without executing code in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from backbones.errors import BackboneError, join_first, printable
from backbones.importing.allowed_globals import MalformedPickleError
from backbones.importing.module_tree import ModuleTree, build_module_tree, is_pickled_module
from backbones.importing.pickle_scan import ForbiddenGlobalsError
from backbones.importing.torch_pickle import load_pickle

STATE_KEYS = ("state_dict", "model_state_dict", "model_state", "model", "network", "net")
MAX_EXPANSION = 4
"""Largest ratio of tensor bytes to file bytes. It exceeds 1 if tensors share memory, as tied weights do; more than two
seldom share the same memory."""
FRAMELIGHT_KEY = "framelight"
"""Key of this project's data in Lightning checkpoints: `fitted` with the state of the best epoch, and `backbone` with
the metadata of the backbone."""


@dataclass(frozen=True)
class WeightsFile:
    """Content of a weights file.

    Attributes
    ----------
    kind : str
        `module` (a pickled network), `state` (a state dict) or `lightning` (a checkpoint of a Lightning Trainer).
    state : mapping of str to Tensor
        The tensors by name; for a checkpoint of this project, the tensors of the best epoch so far.
    tree : ModuleTree or None
        The layers of a pickled network.
    about : mapping or None
        `architecture`, `classes` and `preprocessing`, if they are given in a checkpoint of this project.
    """

    kind: str
    state: Mapping[str, Tensor]
    tree: ModuleTree | None = None
    about: Mapping[str, Any] | None = None


def read_torch_file(path: Path) -> WeightsFile:
    """Read a file written by torch.save (zip archive or legacy format) without executing code in it.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    WeightsFile
        The content of the file; the tensors are contiguous copies.

    Raises
    ------
    BackboneError
        If the file cannot be read, contains more than weights, is damaged or of an unsupported format, or contains
        neither a network nor a state dict.
    """
    path = Path(path)
    try:
        kind, network, about = _find_network(load_pickle(path))
        tree = build_module_tree(network) if kind == "module" else None
        _require_similar_size(tree.tensors if tree else network, path.stat().st_size)
        # tensors in a file may be views of each other and may have attributes
        state = {
            name: Tensor.detach(tensor).clone(memory_format=torch.contiguous_format)
            for name, tensor in (tree.tensors if tree else network).items()
        }
        return WeightsFile(kind, state, tree, about)
    except ForbiddenGlobalsError as error:
        raise BackboneError(
            f"{path} is rejected because it contains {join_first(error.names, 5)}, which does not belong in a weights "
            "file; no code in it was executed",
            "if you trust the file, load it where it was written and save only the weights: "
            "torch.save(model.state_dict(), FILE)",
        ) from error
    except MalformedPickleError as error:
        raise BackboneError(
            f"{path} cannot be read as a torch.save file: {printable(str(error))}", error.hint
        ) from error
    except OSError as error:
        raise BackboneError(f"{path} cannot be read: {error.strerror or error}") from error


def _require_similar_size(tensors: Mapping[str, Tensor], file_bytes: int) -> None:
    """Check that copies of the tensors are not many times as large as the file, in which tensors may share memory."""
    total = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    if total > MAX_EXPANSION * file_bytes:
        raise MalformedPickleError(
            f"its tensors share memory and would take {total / 1e6:,.0f} MB, more than {MAX_EXPANSION} times the "
            f"{file_bytes / 1e6:,.1f} MB of the file",
            "save copies of the tensors: torch.save({k: v.clone() for k, v in model.state_dict().items()}, FILE)",
        )


def _find_network(value: Any) -> tuple[str, Any, Mapping[str, Any]]:
    """Return the kind of a file, the network or state dict in it, and its metadata."""
    if is_pickled_module(value):
        return "module", value, {}
    if not isinstance(value, dict):
        raise MalformedPickleError("it contains no network and no state dict")
    if _is_state_dict(value):
        return "state", value, {}
    for key in STATE_KEYS:
        candidate = value.get(key)
        if is_pickled_module(candidate):
            return "module", candidate, {}
        if isinstance(candidate, dict) and _is_state_dict(candidate):
            kind = "lightning" if "pytorch-lightning_version" in value else "state"
            return kind, *_best_state(value.get(FRAMELIGHT_KEY), candidate)
    keys = ", ".join(printable(key, 50) for key in list(value)[:5] if isinstance(key, str))
    raise MalformedPickleError(f"it contains no network and no state dict, but {keys or 'something else'}")


def _best_state(project_data: Any, last_state: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return the state of the best epoch and the metadata if this project stored them, else `last_state` and {}."""
    parts = project_data if isinstance(project_data, dict) else {}
    fitted, about = parts.get("fitted"), parts.get("backbone")
    best_state = fitted.get("state") if isinstance(fitted, dict) else None
    metadata = about if isinstance(about, dict) and all(map(_is_jsonable, about.values())) else {}
    return (best_state if isinstance(best_state, dict) and _is_state_dict(best_state) else last_state), metadata


def _is_jsonable(value: Any, depth: int = 2) -> bool:
    """Whether a value is None, a string, a number, or a collection of such values at most `depth` levels deep."""
    if isinstance(value, (dict, list, tuple)):
        return depth > 0 and all(
            _is_jsonable(part, depth - 1) for part in (value.values() if isinstance(value, dict) else value)
        )
    return value is None or isinstance(value, (str, int, float))


def _is_state_dict(value: Mapping[Any, Any]) -> bool:
    return bool(value) and all(isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in value.items())
