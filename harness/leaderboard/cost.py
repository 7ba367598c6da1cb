"""Accuracy and what it costs: each exported file of a board's runs, scored and measured, on one row."""

from __future__ import annotations

import dataclasses
import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from harness.features.store import FeatureStore
from harness.leaderboard.cost_text import CostRow, render_cost
from harness.leaderboard.row_types import LeaderboardRow
from harness.leaderboard.rows import Evidence, board_key, finished_records, group_by_configuration, leaderboard_rows
from harness.leaderboard.significance import SignificanceCache
from harness.tracking import remote_job_files, tracked_records
from harness.tracking.export_records import ExportRecord, export_folder, read_exports
from harness.tracking.records import Record
from harness.utils.errors import FramelightError, InputError
from harness.utils.store import Store

logger = logging.getLogger(__name__)


def pareto_front(offers: Sequence[tuple[float, float]]) -> list[bool]:
    """For each (value, cost), whether none of the others has as high a value for as low a cost, one of them better.

    Equal offers are on the front together.
    """
    best: float | None = None
    ahead = [False] * len(offers)
    order = sorted(range(len(offers)), key=lambda i: (offers[i][1], -offers[i][0]))
    for place, i in enumerate(order):
        same = place > 0 and offers[order[place - 1]] == offers[i]
        if same:
            ahead[i] = ahead[order[place - 1]]
        elif best is None or offers[i][0] > best:
            ahead[i], best = True, offers[i][0]
    return ahead


def export_key(exported: ExportRecord) -> str:
    """What evidence knows an exported file by."""
    return f"{exported.job_id}/{exported.format}-{exported.precision}"


def cost_rows(
    records: Iterable[Record],
    exported: Iterable[ExportRecord],
    macs: Mapping[str, int | None],
    task: str | None = None,
    evidence: Evidence | None = None,
) -> list[CostRow]:
    """One row for each exported file of a finished job, and one for each run without any, boards one after another,
    highest value first.

    macs: of a crop in the backbone, by run id, for runs without a file. `value` and its interval are the file's own
    score, else the run's; None where the file was not scored. `difference` is the file's score less that of the `seed`
    it was made of, `difference_low` and `difference_high` its paired interval, None without statistics. `latency_1`,
    `latency_2`: milliseconds of one crop by threads, `p95_1`, `p95_2`; `size`: bytes; `memory`: MiB; `largest`,
    `agreement`: see `harness.tracking.export_records.ExportRecord`. `pareto`: whether no file of the board that was
    measured on the same device is at least as good and as fast on one thread, and better in one.
    """
    records = list(records)
    own = {row.run_id: row for row in leaderboard_rows(records, task)}
    files: dict[str, list[ExportRecord]] = defaultdict(list)
    for one in exported:
        files[one.job_id].append(one)
    made = []
    for group in group_by_configuration(records, task):
        row, jobs = own[group[0].group_id], finished_records(group)
        measured = [_file_row(row, job, one, evidence) for job in jobs for one in files[job.job_id]]
        made += measured or ([_run_row(row, jobs, macs, evidence)] if row.kind == "run" and jobs else [])
    _mark_pareto_front(made)
    places = {key: place for place, key in enumerate(dict.fromkeys(map(board_key, own.values())))}
    return sorted(
        made,
        key=lambda row: (
            places[board_key(row)],
            row.value is None,
            -(row.value or 0.0),
            row.latency_1 or 0.0,
            row.run_id,
            row.format or "",
            row.precision or "",
            row.seed or 0,
        ),
    )


def _file_row(row: LeaderboardRow, job: Record, one: ExportRecord, evidence: Evidence | None) -> CostRow:
    scored = one.value is not None and evidence is not None
    itself = dataclasses.replace(job, job_id=export_key(one))
    ends = evidence.interval([itself]) if scored else None
    found = evidence.difference([itself], [job]) if scored else None
    return CostRow(
        **row.shared_fields(),
        seed=job.seed,
        format=one.format,
        precision=one.precision,
        file=one.file,
        value=one.value,
        ci_low=ends and ends[0],
        ci_high=ends and ends[1],
        difference=None if one.value is None or one.run_value is None else one.value - one.run_value,
        difference_low=found and found.low,
        difference_high=found and found.high,
        largest=one.largest,
        agreement=one.agreement,
        parameters=one.parameters,
        macs=one.macs,
        size=one.size,
        latency_1=_latency(one, 1, "median"),
        latency_2=_latency(one, 2, "median"),
        p95_1=_latency(one, 1, "p95"),
        p95_2=_latency(one, 2, "p95"),
        memory=one.memory,
        device=one.device,
    )


def _run_row(
    row: LeaderboardRow, jobs: list[Record], macs: Mapping[str, int | None], evidence: Evidence | None
) -> CostRow:
    low, high = (evidence.interval(jobs) if evidence is not None else None) or (row.ci_low, row.ci_high)
    return CostRow(
        **row.shared_fields(),
        value=row.value,
        ci_low=low,
        ci_high=high,
        parameters=row.parameters,
        macs=macs.get(row.run_id),
    )


def _latency(one: ExportRecord, threads: int, what: str) -> float | None:
    return one.latency.get(str(threads), {}).get(what)


def _mark_pareto_front(made: list[CostRow]) -> None:
    """The Pareto front of each board and device."""
    offers: dict[tuple, list[CostRow]] = defaultdict(list)
    for row in made:
        if row.value is not None and row.latency_1 is not None:
            offers[board_key(row), row.device].append(row)
    for several in offers.values():
        for row, ahead in zip(several, pareto_front([(row.value, row.latency_1) for row in several])):
            row.pareto = ahead


def format_cost_boards(store: Store, plot: Path | None, task: str | None, format: str, width: int) -> str:
    """The boards with what exported files cost; plot: where to draw them."""
    if plot is not None and plot.is_dir():
        raise InputError(f"--plot {plot} is a folder; name a file in it, such as cost.png")
    records, exported = tracked_records(store), list(read_exports(store))
    evidence = SignificanceCache(store, remote_job_files(store), places=statistics_paths(store, exported))
    listed = cost_rows(records, exported, _macs_by_run(store, group_by_configuration(records, task)), task, evidence)
    if plot is not None:
        _draw_plot(plot, listed)
    if not listed and format in ("table", "md"):
        return f"no run in {store} yet; start with: framelight run quickstart --store {store}"
    return render_cost(listed, format, width).rstrip("\n")


def statistics_paths(store: Store, exported: Iterable[ExportRecord]) -> Mapping[str, Path]:
    """Where the statistics of exported files' own scores lie, by the name that evidence asks for them with."""
    return {export_key(one): export_folder(store, one.job_id) / f"{one.format}-{one.precision}.npz" for one in exported}


def _draw_plot(plot: Path, listed: list[CostRow]) -> None:
    from harness.leaderboard.cost_plot import draw_cost

    if not any(row.value is not None and row.latency_1 is not None for row in listed):
        raise InputError(
            "nothing to draw: no exported file of these runs was scored and measured yet; "
            "framelight export RUN --format onnx --out DIR does both"
        )
    draw_cost(plot, listed)
    logger.info(f"drawn: {plot}")


def _macs_by_run(store: Store, groups: Iterable[list[Record]]) -> dict[str, int | None]:
    """MACs of each run's backbone, by run id, as far as they are known."""
    kept, known = FeatureStore(store.features), dict[str, int | None]()
    found = {}
    for group in groups:
        entry = group[0].config.get("entry")
        if entry and group[0].kind == "run":
            if entry not in known:
                known[entry] = _backbone_macs(kept, entry, store)
            found[group[0].group_id] = known[entry]
    return found


def _backbone_macs(kept: FeatureStore, entry: str, store: Store) -> int | None:
    import backbones

    try:
        reference = kept.entry(entry).backbone["reference"]
        named = reference.partition("@")[0]
        return backbones.describe(named, store.backbones, store.backbone_info)["macs"]
    except (FramelightError, backbones.BackboneError, KeyError):
        return None
