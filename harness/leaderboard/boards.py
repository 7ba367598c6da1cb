"""Boards of a store as text, for the commands that print them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from harness.jobs.job_folder import JobFolder
from harness.leaderboard.causal import causal_rows
from harness.leaderboard.causal_text import render_causal
from harness.leaderboard.optimism import optimism_rows, render_optimism
from harness.leaderboard.published import (
    ANNOTATED_ROWS,
    DATASET,
    add_published_rows,
    published_costs,
    published_figures,
)
from harness.leaderboard.render import render
from harness.leaderboard.row_types import LeaderboardRow
from harness.leaderboard.rows import leaderboard_rows
from harness.leaderboard.significance import SignificanceCache
from harness.leaderboard.table_layout import wrap_sentence
from harness.leaderboard.verification import RunVerifier
from harness.metrics.tasks import TASKS
from harness.tracking import remote_job_files, tracked_records
from harness.tracking.reader import warn_unreadable
from harness.tracking.records import Record
from harness.utils.console import FILE_WIDTH, table_width, terminal_size
from harness.utils.errors import FramelightError
from harness.utils.store import Store
from harness.utils.text import markdown_table, ruled_table

COSTS_HEADER = ("backbone", "input px", "embedding", "size", "latency")
COSTS_TITLE = "Published cost: latency per frame on a Samsung Fold 3 (Qualcomm 888), mean ± standard deviation"


def format_published_costs(markdown: bool = False, width: int = 100) -> str:
    """Format size and latency of each published network as a table, fastest first; the title is wrapped to `width`."""
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
    return "\n".join([wrap_sentence(COSTS_TITLE, width), "", *ruled_table([COSTS_HEADER, *rows])])


def board_rows(
    store: Store,
    task: str | None = None,
    boards: set[tuple[str, str]] | None = None,
    from_store: bool = False,
    published: bool = False,
    verify_all: bool = False,
) -> list[LeaderboardRow]:
    """Build the leaderboard rows of the tracked runs.

    Parameters
    ----------
    store : Store
        The store of the runs.
    task : str, optional
        Default: all tasks.
    boards : set of (task, data digest), optional
        Default: all boards.
    from_store : bool, default=False
        Read the records in the store instead of those on the tracking server, for when the server is unreachable.
    published : bool, default=False
        Add published figures for all tasks, or for the tasks of `boards` if `boards` are given.
    verify_all : bool, default=False
        Hash every file of the runs, not only those whose size or modification time changed; required before a board
        is published.

    Returns
    -------
    list of LeaderboardRow
        Rows grouped by board, best row first.
    """
    records = _stored_records(store) if from_store else tracked_records(store)
    if boards is not None:
        records = [record for record in records if (record.task, record.data_digest) in boards]
    if published:
        records = _add_published_figures(records, {task for task, _ in boards} if boards is not None else set(TASKS))
    store = store.untracked if from_store else store
    significance = _open_significance_cache(store)
    verifier = RunVerifier(store, significance, verify_all)
    rows = leaderboard_rows(records, task, significance, verifier.verify)
    verifier.save()
    return rows


def format_leaderboard(
    rows: Sequence[LeaderboardRow], format: str = "table", plain: bool = False, with_costs: bool = False
) -> str:
    """Format the rows of `board_rows`.

    Parameters
    ----------
    rows : sequence of LeaderboardRow
        The rows.
    format : {"table", "csv", "json", "md"}
        The format.
    plain : bool, default=False
        Format for a file: tables of any width, and no bold text.
    with_costs : bool, default=False
        Append the cost of published networks, for `table` and `md`.

    Returns
    -------
    str
        The text.
    """
    width, (_, is_terminal) = table_width(plain), terminal_size(plain)
    text = render(rows, format, width, is_terminal).rstrip("\n")
    if with_costs and format in ("table", "md"):
        text += f"\n\n{format_published_costs(format == 'md', width or FILE_WIDTH)}"
    return text


def format_optimism(store: Store, task: str | None = None, format: str = "table", plain: bool = False) -> str:
    """Format the optimism of each configuration that was run under both protocols; see `harness.leaderboard.optimism`.

    If there are none, the result for `table` and `md` says how to run one.
    """
    significance = _open_significance_cache(store)
    records = RunVerifier(store, significance).keep_unaltered(tracked_records(store), task)
    rows = optimism_rows(records, task, significance)
    if not rows and format in ("table", "md"):
        return _suggest_other_protocol([record for record in records if task in (None, record.task)])
    return render_optimism(rows, format, table_width(plain)).rstrip("\n")


def format_causal(
    store: Store, data: Path | None, task: str | None = None, format: str = "table", plain: bool = False
) -> str:
    """Format the scores of each run with its own smoothing and with causal smoothing.

    A replay scores the saved predictions of a job again, with causal smoothing. Missing replays are computed.

    Parameters
    ----------
    store : Store
        The store of the runs.
    data : Path or None
        Folder of a dataset that was moved. If None, datasets are read from the folders that the store last opened.
    task : str, optional
        Default: all tasks.
    format : {"table", "csv", "json", "md"}
        The format.
    plain : bool, default=False
        Format for a file.

    Returns
    -------
    str
        The boards.
    """
    from harness.jobs.causal import replay_folder
    from harness.leaderboard.causal_replays import get_causal_replays
    from harness.utils.progress import Progress

    records = RunVerifier(store, _open_significance_cache(store)).keep_unaltered(tracked_records(store), task)
    with Progress("replaying with causal filters", "job") as progress:
        replays = get_causal_replays(records, store, data, progress, task)
    paths = {record.job_id: replay_folder(store, job_id).statistics for job_id, record in replays.items()}
    rows = causal_rows(records, replays, task, _open_significance_cache(store, paths))
    if not rows and format in ("table", "md"):
        of_task = "" if task is None else f" of task {task}"
        return f"nothing to replay: no run in {store}{of_task} has stored predictions on videos that are available"
    return render_causal(rows, format, table_width(plain)).rstrip("\n")


def format_cost(
    store: Store, plot: Path | None, task: str | None = None, format: str = "table", plain: bool = False
) -> str:
    """Format accuracy and cost of exported files, and draw them to the file `plot` unless it is None."""
    from harness.leaderboard import cost

    return cost.format_cost_boards(store, plot, task, format, table_width(plain))


def _open_significance_cache(store: Store, paths: Mapping[str, Path] | None = None) -> SignificanceCache:
    return SignificanceCache(store, remote_job_files(store), paths)


def _add_published_figures(records: list[Record], tasks: set[str]) -> list[Record]:
    return add_published_rows(
        records, [figure for figure in published_figures() if figure.task in tasks], ANNOTATED_ROWS, DATASET
    )


def _suggest_other_protocol(records: Iterable[Record]) -> str:
    """Suggest how to run a configuration under the other protocol."""
    runs = [record for record in records if record.kind == "run" and record.status == "finished"]
    protocols = {record.protocol for record in runs}
    missing = "published" if protocols != {"published"} else "held-out"
    return (
        "no configuration was run under both protocols; run the same recipe with the same data and settings\n"
        "under the other protocol: repeat its command with\n"
        f"  --set protocol={missing}"
    )


def _stored_records(store: Store) -> list[Record]:
    """Read the records of the jobs in a store; those that cannot be read are left out with a warning."""
    stored, faults = [], []
    for folder in (JobFolder(path) for path in sorted(store.jobs.glob("[!.]*"))):
        try:
            stored += [folder.read_record()] if folder.has_record() else []
        except FramelightError as error:
            faults.append(str(error))
    warn_unreadable(faults, f"{{}} in {store.jobs}")
    return stored


def list_best_figures(store: Store, records: Iterable[Record]) -> list[str]:
    """List the figure folders of the best run of each board.

    Parameters
    ----------
    store : Store
        The store of the runs.
    records : iterable of Record
        Records in any order.

    Returns
    -------
    list of str
        A line for each board whose best run has figures in the store.
    """
    best_runs: dict[tuple[str, str, str], str] = {}
    for row in leaderboard_rows(records):
        board = (row.task, row.data_digest, row.protocol)
        if row.kind == "run" and row.value is not None and board not in best_runs:
            best_runs[board] = row.run_id
    return [
        f"  {task}, {protocol}: {folder}"
        for (task, _, protocol), run in best_runs.items()
        for folder in _figure_folders(store, run)
    ]


def _figure_folders(store: Store, run: str) -> Iterator[Path]:
    """Yield the figure folder of the first seed that has one; figures are drawn for one seed of a run."""
    pictures = [JobFolder(path).pictures for path in sorted(store.jobs.glob(f"{run}-*"))]
    yield from [path for path in pictures if path.exists()][:1]
