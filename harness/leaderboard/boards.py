"""Leaderboards as text, for the commands that print them."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from harness.jobs.job_folder import JobFolder
from harness.leaderboard.causal import causal_rows, render_causal
from harness.leaderboard.optimism import optimism_rows, render_optimism
from harness.leaderboard.published import add_published_rows, published_costs
from harness.leaderboard.render import render
from harness.leaderboard.row_types import LeaderboardRow
from harness.leaderboard.rows import leaderboard_rows
from harness.leaderboard.significance import SignificanceCache
from harness.metrics.tasks import TASKS
from harness.tracking import remote_job_files, tracked_records
from harness.tracking.records import Record
from harness.utils.store import Store
from harness.utils.text import markdown_table, ruled_table

COSTS_HEADER = ("backbone", "input", "width", "size", "a frame")
COSTS_TITLE = "Published cost: one frame on a Samsung Fold 3 (Qualcomm 888), mean ± standard deviation"


def format_published_costs(markdown: bool = False) -> str:
    """Size and speed of each published network, smallest first."""
    rows = [
        (
            cost.backbone,
            str(cost.input_size),
            str(cost.embedding_width),
            f"{cost.size_mb:g} MB",
            f"{cost.milliseconds:g} ± {cost.deviation:g} ms",
        )
        for cost in sorted(published_costs(), key=lambda cost: (cost.milliseconds, cost.backbone))
    ]
    if markdown:
        return f"### {COSTS_TITLE}\n\n{markdown_table(COSTS_HEADER, rows, right=range(1, len(COSTS_HEADER)))}"
    return "\n".join([COSTS_TITLE, "", *ruled_table([COSTS_HEADER, *rows])])


MAX_WIDTH = 140


def board_rows(
    store: Store,
    task: str | None = None,
    boards: set[tuple[str, str]] | None = None,
    from_store: bool = False,
    published: bool = False,
    interval: str = "studentized",
) -> list[LeaderboardRow]:
    """The leaderboard rows of the tracked runs.

    Parameters
    ----------
    store : Store
    task : str, optional
    boards : set of (task, data digest), optional
        Default: all boards.
    from_store : bool
        Read the records of the store itself, where the tracking server cannot be asked.
    published : bool
        Add published figures, with `boards` those of their tasks.
    interval : str
        Method of the intervals, one of `harness.metrics.intervals.METHODS`.
    """
    found = _stored_records(store) if from_store else tracked_records(store)
    if boards is not None:
        found = [record for record in found if (record.task, record.data_digest) in boards]
    if published:
        found = _add_published_figures(found, {task for task, _ in boards} if boards is not None else set(TASKS))
    return leaderboard_rows(found, task, _open_significance_cache(store.untracked if from_store else store, interval))


def format_leaderboard(
    rows: Sequence[LeaderboardRow], format: str = "table", plain: bool = False, with_costs: bool = False
) -> str:
    """The rows of `board_rows` as text; plain: no terminal; with_costs: what published networks cost, below tables."""
    text = render(rows, format, *_terminal_size(plain)).rstrip("\n")
    return f"{text}\n\n{format_published_costs(format == 'md')}" if with_costs and format in ("table", "md") else text


def format_optimism(store: Store, task: str | None = None, format: str = "table", plain: bool = False) -> str:
    """Each configuration under both protocols; where there is none, what makes one."""
    found = tracked_records(store)
    listed = optimism_rows(found, task, _open_significance_cache(store))
    if not listed and format in ("table", "md"):
        return _suggest_other_protocol(store, [record for record in found if task in (None, record.task)])
    return render_optimism(listed, format, _terminal_size(plain)[0]).rstrip("\n")


def format_causal(
    store: Store, data: Path | None, task: str | None = None, format: str = "table", plain: bool = False
) -> str:
    """Each run offline and in real time; what was not replayed yet is, from the labels in `data` or where the store
    met them.
    """
    from harness.jobs.causal import replay_folder
    from harness.leaderboard.causal_replays import get_causal_replays
    from harness.utils.progress import Progress

    found = tracked_records(store)
    with Progress("replaying in real time", "job") as progress:
        replays = get_causal_replays(found, store, data, progress, task)
    places = {record.job_id: replay_folder(store, job_id).statistics for job_id, record in replays.items()}
    listed = causal_rows(found, replays, task, _open_significance_cache(store, "studentized", places))
    if not listed and format in ("table", "md"):
        of = "" if task is None else f" of task {task}"
        return f"nothing to replay in real time: no run in {store}{of} has kept predictions on videos that are at hand"
    return render_causal(listed, format, _terminal_size(plain)[0]).rstrip("\n")


def format_cost(
    store: Store, plot: Path | None, task: str | None = None, format: str = "table", plain: bool = False
) -> str:
    """Accuracy and cost of exported files on one row; plot: where to draw them."""
    from harness.leaderboard import cost

    return cost.format_cost_boards(store, plot, task, format, _terminal_size(plain)[0])


def _terminal_size(plain: bool) -> tuple[int, bool]:
    """Columns to fill, and whether they are those of a terminal."""
    terminal = sys.stdout.isatty() and not plain
    return min(shutil.get_terminal_size((100, 24)).columns, MAX_WIDTH) if terminal else 100, terminal


def _open_significance_cache(
    store: Store, method: str = "studentized", places: Mapping[str, Path] | None = None
) -> SignificanceCache:
    return SignificanceCache(store, remote_job_files(store), method, places)


def _add_published_figures(found: list[Record], tasks: set[str]) -> list[Record]:
    from harness.leaderboard.published import ANNOTATED_ROWS, DATASET, published_figures

    return add_published_rows(
        found, [figure for figure in published_figures() if figure.task in tasks], ANNOTATED_ROWS, DATASET
    )


def _suggest_other_protocol(store: Store, found: Iterable[Record]) -> str:
    """What to run so that a configuration is there under both protocols."""
    runs = [record for record in found if record.kind == "run" and record.status == "finished"]
    have = {record.protocol for record in runs}
    lacking = "published" if have != {"published"} else "held-out"
    recipe = min((record.recipe for record in runs if record.recipe), default="RECIPE")
    return (
        f"no configuration was run under both protocols; run the same recipe with the same data and settings\n"
        f"under the other one too, for instance:\n"
        f"  framelight run {recipe} --data DIR --store {store} --set protocol={lacking}"
    )


def _stored_records(store: Store) -> list[Record]:
    folders = [JobFolder(path) for path in sorted(store.jobs.glob("[!.]*"))]
    return [folder.read_record() for folder in folders if folder.has_record()]


def list_best_figures(store: Store, records: Iterable[Record]) -> list[str]:
    """A line for each board whose best run has pictures in this store; baselines and published figures have none."""
    found: dict[tuple[str, str, str], str] = {}
    for row in leaderboard_rows(records):
        board = (row.task, row.data_digest, row.protocol)
        if row.kind == "run" and row.value is not None and board not in found:
            found[board] = row.run_id
    return [
        f"  {task}, {protocol}: {folder}"
        for (task, _, protocol), run in found.items()
        for folder in _figure_folders(store, run)
    ]


def _figure_folders(store: Store, run: str) -> Iterator[Path]:
    """The folder of the first of a run's seeds that has one: one seed of a run is drawn."""
    pictures = [JobFolder(path).pictures for path in sorted(store.jobs.glob(f"{run}-s*"))]
    yield from [path for path in pictures if path.exists()][:1]
