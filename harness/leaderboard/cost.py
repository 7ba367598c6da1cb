"""Accuracy and cost of the exported files of a board's runs."""

from __future__ import annotations

import dataclasses
import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from harness.features.store import FeatureStore
from harness.leaderboard.configuration_row import SignificanceProvider
from harness.leaderboard.configurations import finished_records, group_by_configuration
from harness.leaderboard.cost_text import CostRow, render_cost
from harness.leaderboard.row_keys import board_key
from harness.leaderboard.row_types import LeaderboardRow
from harness.leaderboard.rows import leaderboard_rows
from harness.leaderboard.significance import SignificanceCache
from harness.leaderboard.verification import RunVerifier
from harness.tracking import remote_job_files, tracked_records
from harness.tracking.export_records import ExportRecord, read_exports
from harness.tracking.records import Record
from harness.utils.errors import FramelightError, InputError
from harness.utils.store import Store

logger = logging.getLogger(__name__)


def pareto_front(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Compute which points are on the Pareto front.

    Parameters
    ----------
    points : sequence of (value, cost)
        Values, the higher the better, and costs, the lower the better.

    Returns
    -------
    list of bool
        Whether a point is on the Pareto front: no other point has a value at least as high and a cost at least as low,
        with one of the two strictly better. Equal points are either all on the front or all off it.
    """
    best: float | None = None
    on_front = [False] * len(points)
    order = sorted(range(len(points)), key=lambda i: (points[i][1], -points[i][0]))
    for position, i in enumerate(order):
        repeated = position > 0 and points[order[position - 1]] == points[i]
        if repeated:
            on_front[i] = on_front[order[position - 1]]
        elif best is None or points[i][0] > best:
            on_front[i], best = True, points[i][0]
    return on_front


def export_key(exported: ExportRecord) -> str:
    """Return the job id under which `SignificanceCache` looks up the statistics of an exported file."""
    return f"{exported.job_id}/{exported.format}-{exported.precision}"


def cost_rows(
    records: Iterable[Record],
    exported: Iterable[ExportRecord],
    macs: Mapping[str, int | None],
    task: str | None = None,
    significance: SignificanceProvider | None = None,
) -> list[CostRow]:
    """Build one row for each exported file of a finished job, and one for each run without an exported file.

    Parameters
    ----------
    records : iterable of Record
        Records in any order.
    exported : iterable of ExportRecord
        Records of exported files.
    macs : mapping of str to (int or None)
        Multiply-accumulate operations of the backbone for one crop, by run id. Used for runs without an exported file.
    task : str, optional
        Default: all tasks.
    significance : SignificanceProvider, optional
        Source of intervals and tests.

    Returns
    -------
    list of CostRow
        Rows grouped by board, highest score first.
    """
    records = list(records)
    run_rows = {row.run_id: row for row in leaderboard_rows(records, task)}
    files: dict[str, list[ExportRecord]] = defaultdict(list)
    for export_record in exported:
        files[export_record.job_id].append(export_record)
    rows: list[CostRow] = []
    for group in group_by_configuration(records, task):
        row, jobs = run_rows[group[0].group_id], finished_records(group)
        file_rows = [_file_row(row, job, file, significance) for job in jobs for file in files[job.job_id]]
        rows += file_rows or ([_run_row(row, jobs, macs, significance)] if row.kind == "run" and jobs else [])
    _mark_pareto_front(rows)
    board_order = {key: i for i, key in enumerate(dict.fromkeys(map(board_key, run_rows.values())))}
    return sorted(
        rows,
        key=lambda row: (
            board_order[board_key(row)],
            row.value is None,
            -(row.value or 0.0),
            row.latency_1 or 0.0,
            row.run_id,
            row.format or "",
            row.precision or "",
            row.seed or 0,
        ),
    )


def _file_row(
    row: LeaderboardRow, job: Record, exported: ExportRecord, significance: SignificanceProvider | None
) -> CostRow:
    interval, paired = None, None
    if exported.value is not None and significance is not None:
        file_record = dataclasses.replace(job, job_id=export_key(exported))
        interval = significance.interval([file_record])
        paired = significance.difference([file_record], [job])
    return CostRow(
        **row.shared_fields(),
        seed=job.seed,
        format=exported.format,
        precision=exported.precision,
        file=exported.file,
        value=exported.value,
        ci_low=interval.low if interval else None,
        ci_high=interval.high if interval else None,
        difference=None
        if exported.value is None or exported.run_value is None
        else exported.value - exported.run_value,
        difference_low=paired.low if paired else None,
        difference_high=paired.high if paired else None,
        largest=exported.largest,
        agreement=exported.agreement,
        parameters=exported.parameters,
        macs=exported.macs,
        size=exported.size,
        latency_1=_latency(exported, 1, "median"),
        latency_2=_latency(exported, 2, "median"),
        p95_1=_latency(exported, 1, "p95"),
        p95_2=_latency(exported, 2, "p95"),
        memory=exported.memory,
        device=exported.device,
    )


def _run_row(
    row: LeaderboardRow, jobs: list[Record], macs: Mapping[str, int | None], significance: SignificanceProvider | None
) -> CostRow:
    interval = significance.interval(jobs) if significance is not None else None
    return CostRow(
        **row.shared_fields(),
        value=row.value,
        ci_low=interval.low if interval else row.ci_low,
        ci_high=interval.high if interval else row.ci_high,
        parameters=row.parameters,
        macs=macs.get(row.run_id),
    )


def _latency(exported: ExportRecord, threads: int, statistic: str) -> float | None:
    return exported.latency.get(str(threads), {}).get(statistic)


def _mark_pareto_front(rows: list[CostRow]) -> None:
    """Set `pareto` of the rows, for each board and device."""
    groups: dict[tuple[object, ...], list[tuple[CostRow, tuple[float, float]]]] = defaultdict(list)
    for row in rows:
        if row.value is not None and row.latency_1 is not None:
            groups[board_key(row), row.device].append((row, (row.value, row.latency_1)))
    for group in groups.values():
        for (row, _), on_front in zip(group, pareto_front([point for _, point in group])):
            row.pareto = on_front


def format_cost_boards(store: Store, plot: Path | None, task: str | None, format: str, width: int | None) -> str:
    """Format the boards with the cost of exported files, and draw them.

    Parameters
    ----------
    store : Store
        The store of the runs.
    plot : Path or None
        The PNG to draw; None to draw nothing.
    task : str or None
        The task to show; None for all tasks.
    format : {"table", "csv", "json", "md"}
        The format of the text.
    width : int or None
        Characters of a line, for `table` only; None for no limit.

    Returns
    -------
    str
        The boards.

    Raises
    ------
    InputError
        If `plot` is a folder, or there is nothing to draw.
    """
    if plot is not None and plot.is_dir():
        raise InputError(f"--plot {plot} is a folder; give a file name in it, such as cost.png")
    exported = list(read_exports(store))
    cache = SignificanceCache(store, remote_job_files(store), paths=statistics_paths(store, exported))
    records = RunVerifier(store, cache).keep_unaltered(tracked_records(store), task)
    rows = cost_rows(records, exported, _macs_by_run(store, group_by_configuration(records, task)), task, cache)
    if plot is not None:
        _draw_plot(plot, rows)
    if not rows and format in ("table", "md"):
        return f"no run in {store} yet; start with: framelight run quickstart --store {store}"
    return render_cost(rows, format, width).rstrip("\n")


def statistics_paths(store: Store, exported: Iterable[ExportRecord]) -> Mapping[str, Path]:
    """Return the path of the statistics of each exported file, by `export_key`."""
    return {
        export_key(record): store.exported(record.job_id) / f"{record.format}-{record.precision}.npz"
        for record in exported
    }


def _draw_plot(path: Path, rows: list[CostRow]) -> None:
    from harness.leaderboard.cost_plot import draw_cost

    if not any(row.value is not None and row.latency_1 is not None for row in rows):
        raise InputError(
            "nothing to draw: no exported file of these runs has been scored and measured; "
            "framelight export RUN --format onnx --out DIR does both"
        )
    draw_cost(path, rows)
    logger.info(f"drawn: {path}")


def _macs_by_run(store: Store, groups: Iterable[list[Record]]) -> dict[str, int | None]:
    """Return the MACs of each run's backbone, by run id; None if they cannot be counted."""
    features, macs_by_entry = FeatureStore(store.features), dict[str, int | None]()
    macs: dict[str, int | None] = {}
    for group in groups:
        entry = group[0].config.get("entry")
        if entry and group[0].kind == "run":
            if entry not in macs_by_entry:
                macs_by_entry[entry] = _backbone_macs(features, entry, store)
            macs[group[0].group_id] = macs_by_entry[entry]
    return macs


def _backbone_macs(features: FeatureStore, entry: str, store: Store) -> int | None:
    import backbones

    try:
        reference = features.entry(entry).backbone["reference"]
        name = reference.partition("@")[0]
        return backbones.describe(name, store.backbones, store.backbone_info)["macs"]
    except (FramelightError, backbones.BackboneError, KeyError):
        return None
