"""Format measurements as a table for the terminal, as Markdown, or as JSON."""

from __future__ import annotations

import dataclasses
import json
import textwrap
from collections.abc import Sequence
from itertools import zip_longest

from harness.bench.figure import Measurement
from harness.bench.hardware_limits import HardwareLimits
from harness.utils.errors import unknown_name_error
from harness.utils.text import format_three_digits, ruled_table

FORMATS = ("table", "md", "json")
COLUMNS = ("part", "workload", "result", "lower bound", "baseline", "its result", "speedup", "required", "")
WRAP_WIDTHS = {"part": 26, "workload": 34, "baseline": 34}
"""Maximum number of characters in a line of a cell in these columns. Other columns have DEFAULT_WRAP_WIDTH."""
DEFAULT_WRAP_WIDTH = 40


def render(figures: Sequence[Measurement], machine: HardwareLimits, processor: str, form: str = "table") -> str:
    """Format the limits of the machine, followed by the measurements, without a final newline.

    Parameters
    ----------
    figures : sequence of Measurement
    machine : HardwareLimits
    processor : str
        Name of the processor.
    form : str
        One of FORMATS; any other value raises InputError.
    """
    if form not in FORMATS:
        raise unknown_name_error("format", form, FORMATS)
    if form == "json":
        return json.dumps(
            {
                "processor": processor,
                "ceilings": dataclasses.asdict(machine),
                "figures": [{**dataclasses.asdict(figure), "reached": figure.reached} for figure in figures],
            },
            indent=1,
        )
    head = f"{processor}, {machine.cores} cores. {format_limits(machine)}"
    lines = [COLUMNS, *map(format_cells, figures)]
    notes = [f"{figure.part}: {figure.note}" for figure in figures if figure.note]
    if form == "md":
        rows = [f"| {' | '.join(text.replace('|', '/') for text in line)} |" for line in lines]
        rows.insert(1, f"|{'---|' * len(COLUMNS)}")
        return "\n".join([head, "", *rows, *(["", *(f"- {note}" for note in notes)] if notes else [])])
    filled = [textwrap.fill(note, 156, subsequent_indent="  ", break_on_hyphens=False) for note in notes]
    return "\n".join([head, "", *_format_table(lines), *(["", *filled] if notes else []), "", _format_summary(figures)])


def format_limits(machine: HardwareLimits) -> str:
    """Describe the measured limits in a sentence."""
    return (
        f"Measured limits: copying {machine.copy_bytes_per_s / 1e9:.1f} GB/s, read plus written (one thread "
        f"{machine.copy_bytes_per_s_one / 1e9:.1f}); float32 matrix products {machine.flops_per_s / 1e9:.0f} "
        f"GFLOP/s (one thread {machine.flops_per_s_one / 1e9:.0f})."
    )


def format_cells(figure: Measurement) -> tuple[str, ...]:
    """Format a measurement as a table row, with one cell for each of COLUMNS."""
    if figure.limit is not None:
        required = f"<= {figure.limit:.3g} {figure.unit}"
    else:
        required = "-" if figure.least is None else f"{figure.least:.3g}x"
    has_requirement = figure.limit is not None or figure.least is not None
    return (
        figure.part,
        figure.what,
        f"{format_three_digits(figure.value)} {figure.unit}",
        _format_with_unit(figure.floor, figure.unit),
        figure.rival or "-",
        _format_with_unit(figure.rival_value, figure.unit),
        _format_ratio(figure.ratio),
        required,
        "-" if not has_requirement else "reached" if figure.reached else "MISSED",
    )


def _format_with_unit(value: float | None, unit: str) -> str:
    return "-" if value is None else f"{format_three_digits(value)} {unit}"


def _format_ratio(value: float | None) -> str:
    return "-" if value is None else f"{format_three_digits(value)}x"


def _format_table(lines: Sequence[tuple[str, ...]]) -> list[str]:
    wrapped = [
        [
            textwrap.wrap(text, WRAP_WIDTHS.get(name, DEFAULT_WRAP_WIDTH), break_on_hyphens=False) or [""]
            for name, text in zip(COLUMNS, line)
        ]
        for line in lines
    ]
    rows = [pieces for line in wrapped for pieces in zip_longest(*line, fillvalue="")]
    return ruled_table(rows, left=len(COLUMNS), header=max(map(len, wrapped[0])))


def _format_summary(figures: Sequence[Measurement]) -> str:
    required = [figure for figure in figures if figure.limit is not None or figure.least is not None]
    missed = [figure.part for figure in required if not figure.reached]
    return f"{len(required) - len(missed)} of {len(required)} requirements reached" + (
        f"; missed: {', '.join(missed)}" if missed else ""
    )
