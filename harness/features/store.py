"""Store of features, with one entry for each combination of network, preprocessing, images and precision.

This module does not import torch. Files of a store:

<root>/<key>/entry.json                                  written last: an entry with this file is complete
<root>/<key>/<sequence>/{embeddings,scores,frames}.npy   the folder is written atomically
<root>/<key>/<sequence>/corrupt.json                     only if a crop could not be decoded
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.features.entry import FeatureEntry
from harness.features.stored_array import save_array
from harness.utils.errors import FramelightError, InputError, unknown_name_error
from harness.utils.escaping import escape_text
from harness.utils.files import atomic_write_dir, remove_stale_temp_files, write_json
from harness.utils.hashing import content_hash
from harness.utils.json_text import read_json
from harness.utils.names import is_file_name, path_in
from harness.utils.store import DIGESTS

if TYPE_CHECKING:
    from backbones import Backbone, BackboneInfo

FORMAT_VERSION = 2
"""Version of the key and of entry.json; increased when the meaning of either changes."""

PRECISIONS = ("float16", "float32")


def entry_key(
    architecture: str,
    weights_hash: str,
    preprocessing: dict[str, Any],
    data_digest: str,
    dtype: str,
    compute: str = "float32",
) -> str:
    """Compute the key of an entry: a hash over everything that its arrays depend on.

    Parameters
    ----------
    architecture : str
        Constructor in the backbone's spec. Networks with the same weights may compute different outputs: timm's
        efficientnet_b0 and tf_efficientnet_b0 use different padding.
    weights_hash : str
        Hash of the weights.
    preprocessing : dict
        Settings of the preprocessing, as JSON types.
    data_digest : str
        Digest of the images.
    dtype : {"float16", "float32"}
        Precision of the stored features.
    compute : {"float32", "bf16", "fp16"}
        Precision of the forward passes.

    Returns
    -------
    str
        16 hexadecimal digits.

    Raises
    ------
    InputError
        If `dtype` is unknown.
    """
    if dtype not in PRECISIONS:
        raise unknown_name_error("precision", dtype, PRECISIONS)
    reduced = {} if compute == "float32" else {"compute": compute}
    return content_hash(
        {
            "format": FORMAT_VERSION,
            "architecture": architecture,
            "weights": weights_hash,
            "preprocessing": preprocessing,
            "data": data_digest,
            "dtype": dtype,
            **reduced,
        },
        16,
    )


class FeatureStore:
    """The feature entries in one folder.

    Parameters
    ----------
    root : Path
        The folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    @property
    def digests(self) -> Path:
        """File that caches the digests of image files."""
        return self.root / DIGESTS

    def key(self, backbone: Backbone | BackboneInfo, data_digest: str, dtype: str, compute: str = "float32") -> str:
        """Compute the key of the entry of a backbone, see `entry_key`."""
        spec = backbone.spec
        return entry_key(
            spec.constructor, backbone.weights_hash, spec.preprocessing.as_dict(), data_digest, dtype, compute
        )

    def find(
        self, backbone: Backbone | BackboneInfo, data_digest: str, dtype: str, compute: str = "float32"
    ) -> FeatureEntry | None:
        """Return the complete entry of a backbone for images with a given digest, or None if there is none."""
        key = self.key(backbone, data_digest, dtype, compute)
        return self.entry(key) if (self.root / key / "entry.json").is_file() else None

    def entry(self, key: str) -> FeatureEntry:
        """Read the complete entry with a given key.

        Raises
        ------
        InputError
            If there is no such entry.
        FramelightError
            If its entry.json cannot be read.
        """
        path = path_in(self.root, key, "a feature entry")
        try:
            fields = read_json(path / "entry.json")
            engine = fields.get("engine", {})
            return FeatureEntry(
                path,
                key,
                fields["backbone"],
                fields["data_digest"],
                fields["dtype"],
                fields["widths"],
                fields["sequences"],
                tuple(fields["corrupt"]),
                engine.get("precision", "float32"),
                engine.get("name", ""),
            )
        except FileNotFoundError as error:
            raise InputError(f"no complete feature entry at {path}; run framelight extract") from error
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise FramelightError(
                f"{path / 'entry.json'} cannot be read ({error}); remove {path} and run the command again"
            ) from error

    def write_sequence(
        self, key: str, sequence: str, arrays: dict[str, np.ndarray], corrupt: list[dict[str, Any]]
    ) -> None:
        """Write the arrays of a sequence atomically, unless another process wrote them first.

        Parameters
        ----------
        key : str
            Key of the entry.
        sequence : str
            Name of the sequence.
        arrays : dict of str to ndarray
            `embeddings`, `scores` and `frames`.
        corrupt : list of dict
            Crops that could not be decoded, see `FeatureEntry`.
        """
        with atomic_write_dir(self.sequence_path(key, sequence)) as temp_dir:
            for name, array in arrays.items():
                save_array(temp_dir / f"{name}.npy", array)
            if corrupt:
                write_json(temp_dir / "corrupt.json", corrupt)

    def complete(self, key: str, sequences: list[str], fields: dict[str, Any]) -> FeatureEntry:
        """Write entry.json, which marks an entry as complete; call this once all sequences are stored.

        Parameters
        ----------
        key : str
            Key of the entry.
        sequences : list of str
            Names of all sequences.
        fields : dict
            Further fields of entry.json.

        Returns
        -------
        FeatureEntry
            The complete entry.
        """
        stored = {name: len(np.load(self.sequence_path(key, name) / "frames.npy", mmap_mode="r")) for name in sequences}
        corrupt = [fault for name in sequences for fault in self._read_corrupt(key, name)]
        write_json(
            self.root / key / "entry.json",
            {"format": FORMAT_VERSION, "key": key, **fields, "sequences": stored, "corrupt": corrupt},
        )
        remove_stale_temp_files(self.root / key)
        return self.entry(key)

    def sequence_path(self, key: str, sequence: str) -> Path:
        """Return the folder of a sequence; raise InputError if its name cannot be the name of a folder."""
        if not is_file_name(sequence) or sequence in ("entry.json", "engine.json"):
            name = escape_text(sequence)[:80]
            raise InputError(f"the sequence name '{name}' cannot be used as a folder name; rename the sequence")
        return path_in(self.root, key, "a feature entry") / sequence

    def _read_corrupt(self, key: str, sequence: str) -> list[dict[str, Any]]:
        path = self.sequence_path(key, sequence) / "corrupt.json"
        return read_json(path) if path.is_file() else []
