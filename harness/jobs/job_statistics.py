"""Read and write the sufficient statistics of units, which jobs and exports store as .npz files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from zipfile import BadZipFile

from harness.utils.errors import FramelightError

if TYPE_CHECKING:
    from harness.metrics.unit_statistics import SufficientStatistics

RERUN_HINT = "run its recipe again"

JobStatistics = tuple[tuple[str, ...], "SufficientStatistics"]
"""Names of a job's units, and their statistics."""


def save(file: Path | IO[bytes], units: Sequence[str], statistics: SufficientStatistics) -> None:
    """Write the names of units and their statistics as an .npz file."""
    import numpy as np

    arrays: dict[str, Any] = {"units": np.array(units, dtype=np.str_), **statistics.arrays}
    np.savez_compressed(file, **arrays)


def load(path: Path) -> JobStatistics:
    """Read the names of units and their statistics; raise FramelightError if the file cannot be read."""
    import numpy as np

    from harness.metrics.unit_statistics import SufficientStatistics

    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        units = tuple(map(str, arrays.pop("units")))
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise FramelightError(f"{path}: cannot read a job's statistics ({error}); {RERUN_HINT}") from error
    return units, SufficientStatistics("mtl" if len(arrays) > 1 else next(iter(arrays)), arrays)


def reorder(names: Sequence[str], statistics: SufficientStatistics, units: Sequence[str]) -> SufficientStatistics:
    """Reorder statistics.

    Parameters
    ----------
    names : sequence of str
        Names of the units of `statistics`.
    statistics : SufficientStatistics
        The statistics.
    units : sequence of str
        The same names in the new order.
    """
    from harness.metrics.unit_statistics import SufficientStatistics

    if list(names) == list(units):
        return statistics
    index = {name: i for i, name in enumerate(names)}
    order = [index[name] for name in units]
    return SufficientStatistics(statistics.task, {block: values[order] for block, values in statistics.arrays.items()})
