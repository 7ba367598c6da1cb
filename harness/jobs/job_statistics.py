"""Read and write .npz files with the sufficient statistics of the units (videos, or subjects of still images)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from harness.utils.errors import FramelightError
from harness.utils.npz import read_arrays

if TYPE_CHECKING:
    import numpy as np

    from harness.metrics.unit_statistics import SufficientStatistics

RERUN_HINT = "run its recipe again"
BLOCK_SHAPES = {"expr": (8, 8), "va": (2, 6), "au": (12, 4)}
"""Shape of the statistics of one unit, by output; see `harness.metrics.unit_statistics`."""
MAX_COUNT = 2**40
"""Maximum number of rows of a unit; with larger numbers, sums over units might overflow."""
MAX_BYTES = 512 * 2**20
"""Maximum size of all arrays together, enough for a multi-task run with 400,000 units."""
MAX_AFFECT = 2.0
"""Largest magnitude of valence and arousal. Labels and outputs (tanh) are within [-1, 1]; rounding in quantized exports
may exceed that range. A run with larger values would dominate the tests of all rows of a leaderboard."""
ROUNDING = 1e-6
"""Allowed relative error of sums of squares and products."""

JobStatistics = tuple[tuple[str, ...], "SufficientStatistics"]
"""Names of a job's units, and their statistics."""


def save(file: Path | IO[bytes], units: Sequence[str], statistics: SufficientStatistics) -> None:
    """Write the names of units and their statistics as an .npz file."""
    import numpy as np

    arrays: dict[str, Any] = {"units": np.array(units, dtype=np.str_), **statistics.arrays}
    np.savez_compressed(file, **arrays)


def load(path: Path, task: str | None = None) -> JobStatistics:
    """Read the names of units and their statistics.

    Parameters
    ----------
    path : Path
        The file.
    task : str, optional
        Task of the job. Default: the task that the arrays in the file fit.

    Raises
    ------
    FramelightError
        If the file cannot be read, or its arrays are not statistics of the task.
    """
    from harness.metrics.unit_statistics import SufficientStatistics

    try:
        arrays = read_arrays(path, MAX_BYTES)
        units = _pop_units(arrays)
        _check_arrays(arrays, len(units), task)
    except (OSError, ValueError) as error:
        raise FramelightError(f"{path}: cannot read a job's statistics ({error}); {RERUN_HINT}") from error
    return units, SufficientStatistics("mtl" if len(arrays) > 1 else next(iter(arrays)), arrays)


def _pop_units(arrays: dict[str, np.ndarray]) -> tuple[str, ...]:
    units = arrays.pop("units", None)
    if units is None or units.dtype.kind != "U" or units.ndim != 1:
        raise ValueError("it has no names of units")
    names = tuple(map(str, units))
    if len(set(names)) != len(names):
        raise ValueError("a unit occurs twice")
    return names


def _check_arrays(arrays: Mapping[str, np.ndarray], units: int, task: str | None) -> None:
    """Raise ValueError unless there is one valid array for each output of the task, and no other."""
    from harness.metrics.tasks import TASKS

    tasks = {name: {output.name for output in one.outputs} for name, one in TASKS.items()}
    if set(arrays) not in ([tasks[task]] if task in TASKS else tasks.values()):
        raise ValueError(f"it has statistics of {', '.join(sorted(arrays)) or 'nothing'}, not of {task or 'a task'}")
    for name, values in arrays.items():
        if values.shape != (units, *BLOCK_SHAPES[name]) or not _is_valid(values, name):
            raise ValueError(f"its statistics of {name} are not valid for {units} units")


def _is_valid(values: np.ndarray, block: str) -> bool:
    """Whether the statistics can result from labels and outputs."""
    if block == "va":
        return values.dtype.kind == "f" and _are_moments(values)
    if values.dtype.kind not in "iu" or not ((values >= 0) & (values <= MAX_COUNT)).all():
        return False
    rows = values.sum(axis=-1)
    return block != "au" or bool((rows == rows[:, :1]).all())


def _are_moments(values: np.ndarray) -> bool:
    """Whether values [V, 2, 6] can be `harness.metrics.counts.MOMENTS` of labels and outputs up to `MAX_AFFECT`."""
    import numpy as np

    if not np.isfinite(values).all():
        return False
    rows, means, squares, products = values[..., 0], values[..., 1:3], values[..., 3:5], values[..., 5]
    if not ((rows >= 0) & (rows <= MAX_COUNT) & (rows % 1 == 0) & (rows == rows[:, :1])).all():
        return False
    if not (abs(means) <= np.where(rows > 0, MAX_AFFECT, 0)[..., None]).all():
        return False
    largest = rows[..., None] * (MAX_AFFECT**2 - means**2)
    slack = ROUNDING * rows
    if not ((squares >= 0) & (squares <= largest + slack[..., None])).all():
        return False
    return bool((abs(products) <= np.sqrt(squares.prod(axis=-1)) * (1 + ROUNDING) + slack).all())


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
