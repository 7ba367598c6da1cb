"""Keys of leaderboard rows: identity of a row and of its board, and the order of boards."""

from __future__ import annotations

from harness.leaderboard.row_types import BoardRow, LeaderboardRow
from harness.metrics.tasks import TASKS

TASK_ORDER = {name: i for i, name in enumerate(TASKS)}


def board_key(row: BoardRow) -> tuple[str, str, str, str]:
    """Return the key of a row's board; all rows of a board have the same labels and selection protocol."""
    return row.task, row.data_digest or row.dataset, row.split, row.protocol


def row_key(row: BoardRow) -> tuple[str, str]:
    """Return the key of a row: run id and dataset digest, since a published figure can be on several boards."""
    return row.run_id, row.data_digest


def display_key(row: BoardRow) -> tuple[object, ...]:
    """Return what a board shows of a configuration before any settings are added."""
    shown = tuple(getattr(row, name) for name in ("backbone", "random_weights", "features", "head", "protocol", "kind"))
    if row.kind == "published" and isinstance(row, LeaderboardRow):
        return (*shown, row.kernel, row.radius)
    return shown


def board_sort_key(board_rows: list[LeaderboardRow]) -> tuple[int | str | bool, ...]:
    """Return the key that sorts boards.

    Boards are sorted by task. Within a task, boards with only published figures follow those with runs. Each of these
    two parts is sorted by dataset and split, with the published protocol last.
    """
    task, data, split, protocol = board_key(board_rows[0])
    only_published = all(row.kind == "published" for row in board_rows)
    return (
        TASK_ORDER.get(task, len(TASK_ORDER)),
        task,
        only_published,
        min(row.dataset for row in board_rows),
        data,
        split,
        protocol == "published",
        protocol,
    )
