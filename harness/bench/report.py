"""Figures as text: a table for the terminal, one for Markdown, and JSON."""

from __future__ import annotations

import dataclasses
import json
import textwrap
from collections.abc import Sequence
from itertools import zip_longest

from harness.bench.figure import Measurement
from harness.bench.hardware_limits import HardwareLimits
from harness.utils.errors import unknown_name_error
from harness.utils.text import ruled_table

FORMATS = ("table", "md", "json")
COLUMNS = ("part", "what", "figure", "floor", "held against", "its figure", "ratio", "at least", "")
WRAP_WIDTHS = {"part": 26, "what": 34, "held against": 34}
"""Characters a line, of columns that are broken over lines in a table."""


def render(figures: Sequence[Measurement], machine: HardwareLimits, processor: str, form: str = "table") -> str:
    """The figures in one of FORMATS under what the machine can do, no newline at the end; InputError for another."""
    if form not in FORMATS:
        raise unknown_name_error("format", form, FORMATS)
    if form == "json":
        return json.dumps(
            {
                "processor": processor,
                "ceilings": dataclasses.asdict(machine),
                "figures": [{**dataclasses.asdict(one), "reached": one.reached} for one in figures],
            },
            indent=1,
        )
    head = f"{processor}, {machine.cores} cores. {format_limits(machine)}"
    lines = [COLUMNS, *map(format_cells, figures)]
    notes = [f"{one.part}: {one.note}" for one in figures if one.note]
    if form == "md":
        rows = [f"| {' | '.join(text.replace('|', '/') for text in line)} |" for line in lines]
        rows.insert(1, f"|{'---|' * len(COLUMNS)}")
        return "\n".join([head, "", *rows, *(["", *(f"- {note}" for note in notes)] if notes else [])])
    filled = [textwrap.fill(note, 156, subsequent_indent="  ", break_on_hyphens=False) for note in notes]
    return "\n".join([head, "", *_format_table(lines), *(["", *filled] if notes else []), "", _format_summary(figures)])


def format_limits(machine: HardwareLimits) -> str:
    """The measured ceilings in a sentence."""
    return (
        f"Measured ceilings: copying {machine.copy_bytes_per_s / 1e9:.1f} GB/s, read plus written (one thread "
        f"{machine.copy_bytes_per_s_one / 1e9:.1f}); float32 matrix products {machine.flops_per_s / 1e9:.0f} "
        f"GFLOP/s (one thread {machine.flops_per_s_one / 1e9:.0f})."
    )


def format_cells(one: Measurement) -> tuple[str, ...]:
    """The text of each of COLUMNS."""
    required = f"<= {format_number(one.limit)} {one.unit}" if one.limit is not None else _format_ratio(one.least)
    asked = one.limit is not None or one.least is not None
    return (
        one.part,
        one.what,
        f"{format_number(one.value)} {one.unit}",
        _format_with_unit(one.floor, one.unit),
        one.rival or "-",
        _format_with_unit(one.rival_value, one.unit),
        _format_ratio(one.ratio),
        required,
        "-" if not asked else "reached" if one.reached else "MISSED",
    )


def format_number(value: float) -> str:
    """Three digits that count, thousands apart."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _format_with_unit(value: float | None, unit: str) -> str:
    return "-" if value is None else f"{format_number(value)} {unit}"


def _format_ratio(value: float | None) -> str:
    return "-" if value is None else f"{format_number(value)}x"


def _format_table(lines: Sequence[tuple[str, ...]]) -> list[str]:
    broken = [
        [
            textwrap.wrap(text, WRAP_WIDTHS.get(name, 40), break_on_hyphens=False) or [""]
            for name, text in zip(COLUMNS, line)
        ]
        for line in lines
    ]
    rows = [pieces for line in broken for pieces in zip_longest(*line, fillvalue="")]
    return ruled_table(rows, left=len(COLUMNS), header=max(map(len, broken[0])))


def _format_summary(figures: Sequence[Measurement]) -> str:
    asked = [one for one in figures if one.limit is not None or one.least is not None]
    missed = [one.part for one in asked if not one.reached]
    return f"{len(asked) - len(missed)} of {len(asked)} reached" + (f"; missed: {', '.join(missed)}" if missed else "")
