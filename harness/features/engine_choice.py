"""Select the inference engine of a feature entry.

The engine that the entry was started with comes first, then the one that the user named, then the fastest one.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backbones.engines.engine import Engine, require_engine_name
from backbones.errors import BackboneError
from harness.features.chunk_locks import LOCKS_FOLDER
from harness.utils.files import write_json
from harness.utils.json_text import read_json
from harness.utils.locks import entry_lock

if TYPE_CHECKING:
    from backbones import Backbone
    from harness.features.entry import FeatureEntry

logger = logging.getLogger(__name__)

ENGINE_FILE = "engine.json"
"""Name of the file that stores which engine computes an entry; it is written before the first features."""


@dataclass(frozen=True)
class EngineSelector:
    """Selects the engine that computes forward passes.

    Attributes
    ----------
    cache : Path
        Folder for the models that engines export and for the measured speeds of engines.
    name : str
        Name of an engine; "" selects the fastest one on this machine.
    compute : {"float32", "bf16", "fp16"}
        Precision of the forward passes. For a reduced precision, the difference of the outputs from float32 is
        measured, logged and stored.
    """

    cache: Path
    name: str = ""
    compute: str = "float32"

    def __post_init__(self) -> None:
        if self.name:  # checked even if all features exist and no engine is opened
            require_engine_name(self.name)

    def select_engine(self, entry: Path, backbone: Backbone, workers: int, crops: int) -> Engine:
        """Open the engine for an entry and write its name to the entry's folder, so that resuming uses the same one.

        If the entry's earlier engine is not available any more, another one replaces it; this is logged and stored.

        Parameters
        ----------
        entry : Path
            Folder of the feature entry.
        backbone : Backbone
            The loaded backbone.
        workers : int
            Number of worker threads.
        crops : int
            Number of crops of the entry.

        Returns
        -------
        Engine
            The engine, ready to run.

        Raises
        ------
        BackboneError
            If the engine that the user named is unknown, is not installed, or cannot run this backbone in this
            precision.
        """
        with entry_lock(entry / LOCKS_FOLDER / ENGINE_FILE):
            metadata = self.read_metadata(entry)
            earlier = self._reopen_engine(metadata, backbone) if metadata else None
            if earlier is not None:
                return earlier
            engine = self._choose_engine(backbone, workers, crops)
            write_json(
                entry / ENGINE_FILE,
                {
                    "name": engine.name,
                    "precision": engine.precision,
                    **self._measure_difference(engine, backbone),
                    **({"begun_with": metadata} if metadata else {}),
                },
            )
        return engine

    def log_reuse(self, entry: FeatureEntry) -> None:
        """Log that the features of an entry are reused, if an engine is named and a different one computed them."""
        if self.name not in ("", entry.engine):
            logger.info(
                f"reusing cached features, computed by {entry.engine or 'an unknown engine'}; engine {self.name} is "
                "not used"
            )

    def read_metadata(self, entry: Path) -> dict[str, Any]:
        """Read the engine file of an entry; return {} if it is missing, unreadable or for another precision."""
        try:
            metadata = read_json(entry / ENGINE_FILE)
            return metadata if isinstance(metadata["name"], str) and metadata["precision"] == self.compute else {}
        except (OSError, ValueError, KeyError, TypeError):
            return {}

    def _reopen_engine(self, metadata: dict[str, Any], backbone: Backbone) -> Engine | None:
        name = metadata["name"]
        if self.name not in ("", name):
            logger.info(f"resuming the extraction with {name}, the engine that it was started with")
        try:
            return self._open_engine(name, backbone)
        except BackboneError as error:
            logger.warning(
                f"the extraction was started with engine {name}, which is not available; another engine continues: "
                f"{error}"
            )
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
        """Measure and log the difference of a reduced precision to float32; return {} for float32."""
        if self.compute == "float32":
            return {}
        from backbones.engines.selection import engine_difference

        difference = engine_difference(engine, backbone)
        logger.info(f"{backbone.label} in {self.compute} with {engine.name}, compared with float32: {difference}")
        return {"difference": asdict(difference)}
