"""A trained head on disk: `head.safetensors` (its tensors) and `head.json` (the rest); nothing is ever unpickled."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from harness.errors import FramelightError, InputError
from harness.files import write_json, writing
from harness.heads.config import HeadConfig
from harness.heads.training import TrainedHead

TENSORS, CARD = "head.safetensors", "head.json"


def save(trained: TrainedHead, folder: Path) -> None:
    """Write both files into `folder`, each aside and renamed; the card last."""
    from safetensors.numpy import save_file

    with writing(Path(folder) / TENSORS) as aside:
        save_file(trained.state, aside)
    card = {f.name: getattr(trained, f.name) for f in dataclasses.fields(trained) if f.name != "state"}
    write_json(Path(folder) / CARD, {**card, "config": dataclasses.asdict(trained.config)})


def load(folder: Path) -> TrainedHead:
    """The head in `folder`; InputError when there is none, FramelightError when its files are damaged."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    folder = Path(folder)
    try:
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        state = load_file(folder / TENSORS)
        return TrainedHead(state, **{**card, "config": HeadConfig(**card["config"])})
    except FileNotFoundError as error:
        raise InputError(f"no trained head in {folder}: {Path(error.filename or CARD).name} is missing") from error
    except (ValueError, TypeError, KeyError, SafetensorError) as error:
        raise FramelightError(f"the trained head in {folder} is damaged ({error}); run its job again with --force"
                              ) from error
