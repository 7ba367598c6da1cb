"""Files that torch.save wrote, read without running what they hold: networks, state dicts, Lightning checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from backbones.errors import BackboneError, printable
from backbones.importing.allowed_globals import MalformedPickleError
from backbones.importing.module_tree import ModuleTree, build_module_tree, is_pickled_module
from backbones.importing.pickle_scan import ForbiddenGlobalsError
from backbones.importing.torch_pickle import load_pickle

STATE_KEYS = ("state_dict", "model_state_dict", "model_state", "model", "network", "net")
FRAMELIGHT_KEY = "framelight"
"""Where this project's Lightning checkpoints keep what is theirs: `fitted`, with the state of the best epoch, and
`backbone`, which says what it is."""


@dataclass(frozen=True)
class WeightsFile:
    """What a file holds.

    kind: `module` (a whole pickled network), `state` (a state dict) or `lightning` (a checkpoint of its Trainer).
    state: its tensors by name; of a checkpoint of this project those of its best epoch so far. tree: the layers of a
    pickled network.
    about: `architecture`, `classes` and `preprocessing` where a checkpoint of this project says them, else empty.
    """

    kind: str
    state: Mapping[str, Tensor]
    tree: ModuleTree | None = None
    about: Mapping[str, Any] | None = None


def read_torch_file(path: Path) -> WeightsFile:
    """Read a file of torch.save (zip archives and the older format).

    Nothing of it is executed. BackboneError for a file that holds anything but weights, naming what; for one that is
    truncated or damaged; and for one that holds no network.
    """
    path = Path(path)
    try:
        kind, found, about = _find_network(load_pickle(path))
        tree = build_module_tree(found) if kind == "module" else None
        # copies: tensors of a file may be views of one another, and may carry attributes
        state = {
            name: Tensor.detach(tensor).clone(memory_format=torch.contiguous_format)
            for name, tensor in (tree.tensors if tree else found).items()
        }
        return WeightsFile(kind, state, tree, about)
    except ForbiddenGlobalsError as error:
        raise BackboneError(
            f"{path} is refused: it contains {_join_names(error.names)}, which weights have no need of; "
            "nothing of it was run",
            "if you trust its origin, save its state dict there: torch.save(model.state_dict(), FILE)",
        ) from error
    except MalformedPickleError as error:
        raise BackboneError(
            f"{path} cannot be read as a file of torch.save: {printable(str(error))}", error.hint
        ) from error
    except OSError as error:
        raise BackboneError(f"{path} cannot be read: {error.strerror or error}") from error


def _join_names(names: list[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more


def _find_network(value: Any) -> tuple[str, Any, Mapping[str, Any]]:
    """What a file's value is, and the network or the state dict in it."""
    if is_pickled_module(value):
        return "module", value, {}
    if not isinstance(value, dict):
        raise MalformedPickleError("it holds no network and no state dict")
    if _is_state_dict(value):
        return "state", value, {}
    for key in STATE_KEYS:
        found = value.get(key)
        if is_pickled_module(found):
            return "module", found, {}
        if isinstance(found, dict) and _is_state_dict(found):
            kind = "lightning" if "pytorch-lightning_version" in value else "state"
            return kind, *_best_state(value.get(FRAMELIGHT_KEY), found)
    keys = ", ".join(printable(key, 50) for key in list(value)[:5] if isinstance(key, str))
    raise MalformedPickleError(f"it holds no network and no state dict, but {keys or 'something else'}")


def _best_state(kept: Any, last: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The best state and what is said of the backbone, where this project wrote the checkpoint."""
    parts = kept if isinstance(kept, dict) else {}
    fitted, about = parts.get("fitted"), parts.get("backbone")
    best = fitted.get("state") if isinstance(fitted, dict) else None
    said = about if isinstance(about, dict) and all(map(_is_jsonable, about.values())) else {}
    return (best if isinstance(best, dict) and _is_state_dict(best) else last), said


def _is_jsonable(value: Any, depth: int = 2) -> bool:
    """Whether it is a text, a number, or few levels of them: what is nested without end cannot be written out."""
    if isinstance(value, (dict, list, tuple)):
        return depth > 0 and all(
            _is_jsonable(part, depth - 1) for part in (value.values() if isinstance(value, dict) else value)
        )
    return value is None or isinstance(value, (str, int, float))


def _is_state_dict(value: Mapping[Any, Any]) -> bool:
    return bool(value) and all(isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in value.items())
