"""Reading of .npz files that may be damaged or were written by others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from backbones.regular_files import open_regular

if TYPE_CHECKING:
    import numpy as np

MAX_BYTES = 4 * 2**30
"""Default maximum of the total size of the arrays in a file, in bytes."""


def read_arrays(path: Path, max_bytes: int = MAX_BYTES) -> dict[str, np.ndarray]:
    """Read all arrays of an .npz file; pickles are not executed.

    Parameters
    ----------
    path : Path
    max_bytes : int, optional
        Maximum total size of the arrays; default 4 GiB.

    Returns
    -------
    dict of str to ndarray

    Raises
    ------
    OSError
        If the file cannot be read, or is not a regular file.
    ValueError
        If the file is not an .npz file, is damaged or too large, or contains objects other than numbers and text.
    """
    import numpy as np

    try:
        with open_regular(path) as opened, np.load(opened, allow_pickle=False) as file:
            if sum(part.file_size for part in file.zip.infolist()) > max_bytes:
                raise ValueError(f"arrays of more than {max_bytes / 2**20:,.0f} MiB")
            return {name: file[name] for name in file.files}
    except (OSError, ValueError):
        raise
    except Exception as error:  # zipfile, zlib and numpy raise a dozen unrelated classes for damaged files
        raise ValueError(f"damaged: {type(error).__name__} {error}".strip()) from error
