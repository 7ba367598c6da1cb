"""The table of `framelight bench mobile`: ours, measured here, and beside it what was published for a phone."""

from __future__ import annotations

import dataclasses
import json
import textwrap
from collections.abc import Sequence

from harness.bench.mobile import Row
from harness.leaderboard.published import Cost, costs
from harness.utils.errors import unknown

FORMATS = ("table", "md", "json")
HEADER = ("backbone", "input", "width", "parameters", "MACs", "file", "size", "1 thread (p95)", "2 threads (p95)",
          "memory", "grown", "published, on a phone")
WORDS = 6
"""Columns to the left of which text is aligned: the first, and that of the file."""
LINE = 156
COUNTERPARTS = {"mobilenet_v1": "mobilenet_7", "efficientnet_b0": "enet_b0_8_best_vgaf",
                "efficientnet_b2": "enet_b2_8"}
"""The published networks of the same architecture."""
NOTES = (
    "Weights are random (seed 0), under a linear head of eight classes: what a file costs depends on no weight. "
    "Milliseconds of one crop, median of warm calls one after the other; memory: peak resident MiB of the process, "
    "with its interpreter and the runtime's libraries (ExecuTorch's Python brings all of torch along); grown: the part "
    "that came with the file.",
    "Published, not measured here: size and milliseconds a frame, mean ± standard deviation, on a Samsung Fold 3 "
    "(Qualcomm 888, Android 12), as the README of EmotiEffLib has them for the network of the same architecture: ",
)


def render(rows: Sequence[Row], form: str = "table") -> str:
    """The rows in one of FORMATS, no newline at the end; InputError for another."""
    if form not in FORMATS:
        raise unknown("format", form, FORMATS)
    device = rows[0].cost.device
    if form == "json":
        return json.dumps({"device": device, "weights": "random (seed 0)", "rows": [_document(row) for row in rows],
                           "published": {"device": "Samsung Fold 3 (Qualcomm 888, Android 12)",
                                         "costs": [dataclasses.asdict(cost) for cost in costs()]}}, indent=1)
    notes = [NOTES[0], NOTES[1] + ", ".join(f"{theirs} for {ours}" for ours, theirs in COUNTERPARTS.items()) + "."]
    head, lines = f"Cost of one face crop on this machine: {device}", [_cells(row) for row in rows]
    if form == "md":
        marks = ["---" if place in (0, WORDS - 1) else "---:" for place in range(len(HEADER))]
        table = [f"| {' | '.join(line)} |" for line in (HEADER, marks, *lines)]
        return "\n".join([f"### {head}", "", *table, *(line for note in notes for line in ("", note))])
    filled = [textwrap.fill(note, LINE, break_on_hyphens=False) for note in notes]
    return "\n".join([head, "", *_aligned(_once(rows, lines)), "", *filled])


def _document(row: Row) -> dict:
    found = dataclasses.asdict(row)
    return {**found, "counterpart": COUNTERPARTS.get(row.backbone)}


def _cells(row: Row) -> tuple[str, ...]:
    cost = row.cost
    latency = [f"{_three(one.median)} ms ({_three(one.p95)})" for one in cost.latency.values()]
    return (row.backbone, str(row.input), str(row.width), f"{row.parameters / 1e6:.2f} M",
            "-" if row.macs is None else f"{row.macs / 1e6:,.0f} M", f"{row.format} {row.precision}",
            f"{row.size / 1e6:.2f} MB", *latency, f"{cost.memory:,.0f} MiB", f"{cost.growth:,.0f} MiB",
            _published(row.backbone))


def _published(backbone: str) -> str:
    theirs: Cost | None = next((one for one in costs() if one.backbone == COUNTERPARTS.get(backbone)), None)
    return "-" if theirs is None else f"{theirs.size_mb:g} MB, {theirs.milliseconds:g} ± {theirs.deviation:g} ms"


def _three(value: float) -> str:
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def _once(rows: Sequence[Row], lines: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """What is the same in every row of a backbone is said in its first."""
    said: list[tuple[str, ...]] = []
    for place, (row, line) in enumerate(zip(rows, lines)):
        again = place > 0 and rows[place - 1].backbone == row.backbone
        said.append((*("" for _ in range(WORDS - 1)), *line[WORDS - 1:-1], "") if again else line)
    return said


def _aligned(lines: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(HEADER, *lines)]
    written = ["  ".join(cell.ljust(width) if place in (0, WORDS - 1) else cell.rjust(width)
                         for place, (cell, width) in enumerate(zip(line, widths))).rstrip()
               for line in (HEADER, *lines)]
    return [written[0], "-" * (sum(widths) + 2 * (len(widths) - 1)), *written[1:]]
