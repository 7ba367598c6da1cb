"""Which engine computes an entry: the one it was begun with, else the one asked for, else the soonest measured."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backbones.errors import BackboneError
from harness.features.chunk_locks import LOCKS_FOLDER
from harness.utils.files import write_json
from harness.utils.locks import entry_lock

if TYPE_CHECKING:
    from backbones import Backbone
    from backbones.engines.engine import Engine
    from harness.features.store import FeatureEntry

logger = logging.getLogger(__name__)

ENGINE_FILE = "engine.json"
"""In the folder of an entry, written before its first features."""


@dataclass(frozen=True)
class EngineSelector:
    """How forward passes are to be computed.

    cache: the folder where engines keep what they export, and what was measured of them. name: an engine's, "" for
    the soonest here. compute: float32, bf16 or fp16; the difference that a reduced one makes is said and recorded.
    """

    cache: Path
    name: str = ""
    compute: str = "float32"

    def select_engine(self, entry: Path, backbone: Backbone, workers: int, crops: int) -> Engine:
        """The engine for an entry of `crops` crops, noted in its folder: whoever goes on with it uses the same one.

        An engine that is not there any more is replaced, which is said and recorded. BackboneError, which says what to
        do, for one asked for that is unknown, not there, or cannot run this backbone in this precision.
        """
        with entry_lock(entry / LOCKS_FOLDER / ENGINE_FILE):
            note = self.read_metadata(entry)
            begun = self._reopen_engine(note, backbone) if note else None
            if begun is not None:
                return begun
            engine = self._choose_engine(backbone, workers, crops)
            write_json(
                entry / ENGINE_FILE,
                {
                    "name": engine.name,
                    "precision": engine.precision,
                    **self._measure_difference(engine, backbone),
                    **({"begun_with": note} if note else {}),
                },
            )
        return engine

    def log_reuse(self, entry: FeatureEntry) -> None:
        """Log where an engine was asked for and the features are there already, by another."""
        if self.name not in ("", entry.engine):
            logger.info(
                f"these features are there already, by {entry.engine or 'an engine that was not noted'}; "
                f"nothing is computed by {self.name}"
            )

    def read_metadata(self, entry: Path) -> dict[str, Any]:
        """What is known of the engine of an entry that is being computed: JSON types, {} where nothing is."""
        try:
            note = json.loads((entry / ENGINE_FILE).read_text(encoding="utf-8"))
            return note if isinstance(note["name"], str) and note["precision"] == self.compute else {}
        except (OSError, ValueError, KeyError, TypeError):
            return {}

    def _reopen_engine(self, note: dict[str, Any], backbone: Backbone) -> Engine | None:
        name = note["name"]
        if self.name not in ("", name):
            logger.info(f"these features were begun with {name}, which goes on with them")
        try:
            return self._open_engine(name, backbone)
        except BackboneError as error:
            logger.warning(f"these features were begun with {name}, and another engine goes on with them: {error}")
            return None

    def _choose_engine(self, backbone: Backbone, workers: int, crops: int) -> Engine:
        from backbones.engines.selection import select_engine
        from harness.features.pipeline import batch_size

        name = self.name or select_engine(
            backbone, self.cache, batch_size(backbone.spec.preprocessing), workers, crops, precision=self.compute
        )
        return self._open_engine(name, backbone)

    def _open_engine(self, name: str, backbone: Backbone) -> Engine:
        from backbones.engines.selection import open_engine
        from harness.features.pipeline import engine_batch_size

        return open_engine(
            name, backbone, self.cache, engine_batch_size(name, backbone.spec.preprocessing), self.compute
        )

    def _measure_difference(self, engine: Engine, backbone: Backbone) -> dict[str, Any]:
        """Of a reduced precision to float32, measured and said."""
        if self.compute == "float32":
            return {}
        from backbones.engines.selection import engine_difference

        found = engine_difference(engine, backbone)
        logger.info(f"{backbone.label} in {self.compute} by {engine.name}, against float32: {found}")
        return {"difference": asdict(found)}
