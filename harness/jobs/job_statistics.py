"""Files of sufficient statistics by unit, as jobs and exports leave them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING
from zipfile import BadZipFile

from harness.utils.errors import FramelightError

if TYPE_CHECKING:
    from harness.metrics.unit_statistics import SufficientStatistics

RERUN_HINT = "run its recipe again"

JobStatistics = tuple[tuple[str, ...], "SufficientStatistics"]
"""Names of a job's units, and their statistics."""


def save(file: Path | IO[bytes], units: Sequence[str], statistics: SufficientStatistics) -> None:
    import numpy as np

    np.savez_compressed(file, units=np.array(units, dtype=np.str_), **statistics.arrays)


def load(path: Path) -> JobStatistics:
    """The units of a file and their statistics; FramelightError where it cannot be read."""
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
    """The statistics of the units `names` in the order of `units`."""
    from harness.metrics.unit_statistics import SufficientStatistics

    if list(names) == list(units):
        return statistics
    place = {name: i for i, name in enumerate(names)}
    order = [place[name] for name in units]
    return SufficientStatistics(statistics.task, {block: values[order] for block, values in statistics.arrays.items()})
