"""The boards as a reader sees them: aligned text for a terminal, and Markdown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import groupby

from harness.leaderboard.rows import Row, board

TITLES = {"expr": "Expression", "va": "Valence and arousal", "au": "Action units", "mtl": "Multi-task"}
DROPPED = ("params", "cover", "95 % interval", "raw")
"""Columns left out of a narrow table, in this order; long names are shortened next, then these go:"""
DROPPED_LAST = ("run", "seeds", "protocol", "smoothing", "features")
LIFTED = ("protocol", "seeds", "smoothing", "cover")
"""Columns that move into the title line when all rows of a board agree."""
SHORTEST = 12
RANDOM = " (random)"
GAP = "  "


@dataclass(frozen=True)
class Column:
    name: str
    text: Callable[[Row], str]
    right: bool = False
    shrinks: bool = False


def table(rows: list[Row], width: int = 100, bold: bool = False) -> str:
    """Boards as aligned text within `width` characters, a legend of the marks at the end."""
    if not rows:
        return "no rows\n"
    run_length = _unique_prefix([row["run_id"] for row in rows])
    parts = [_board(list(part), rows, width, bold, run_length) for _, part in groupby(rows, key=board)]
    legend = _legend(rows, width, any(" raw" in line for part in parts for line in part.splitlines()[:4]))
    return "\n\n".join([*parts, *([legend] if legend else [])]) + "\n"


def markdown(rows: list[Row]) -> str:
    """A heading and a table with every column for each board, the legend of marks at the end."""
    run_length = _unique_prefix([row["run_id"] for row in rows])
    parts = []
    for _, part in groupby(rows, key=board):
        listed = list(part)
        columns = [c for c in _columns(listed, run_length) if c.name not in _lifted(listed)]
        lines = [[c.name.strip() for c in columns], ["---:" if c.right else "---" for c in columns]]
        lines += [[c.text(row).strip().replace("|", "\\|") for c in columns] for row in listed]
        parts.append(f"### {'; '.join(_title(listed, rows))}\n\n{'; '.join(_shared(listed))}\n\n"
                     + "\n".join(f"| {' | '.join(line)} |" for line in lines))
    legend = _legend(rows, 10_000, True)
    return "\n\n".join([*parts, *([legend] if legend else [])] or ["no rows"]) + "\n"


def _board(listed: list[Row], rows: list[Row], width: int, bold: bool, run_length: int) -> str:
    columns = [c for c in _columns(listed, run_length) if c.name not in _lifted(listed)]
    cells = _fitted({c: [c.name, *(c.text(row) for row in listed)] for c in columns}, width)
    padded = [_padded(column, texts) for column, texts in cells.items()]
    lines = [GAP.join(line).rstrip() for line in zip(*padded)]
    if bold and listed[0]["rank"] == 1:
        lines[1] = f"\033[1m{lines[1]}\033[0m"
    rule = "-" * _width(cells)
    return "\n".join([_joined(_title(listed, rows), width), _joined(_shared(listed), width), "",
                      lines[0], rule, *lines[1:]])


def _columns(listed: list[Row], run_length: int) -> list[Column]:
    return [
        _rank_column(listed),
        Column("backbone", _backbone, shrinks=True),
        Column("features", lambda row: row["features"] or "-", shrinks=True),
        Column("head", lambda row: row["head"] or "-", shrinks=True),
        Column("smoothing", _smoothing),
        Column(listed[0]["metric"], partial(_value, sign=" " if _any_negative(listed) else "-")),
        Column("95 % interval", _interval),
        Column("raw", lambda row: _number(row["unsmoothed"]), right=True),
        Column("seeds", _seeds, right=True),
        Column("protocol", lambda row: row["protocol"]),
        Column("cover", lambda row: _percent(row["coverage"]), right=True),
        Column("params", lambda row: _count(row["parameters"]), right=True),
        Column("run", lambda row: row["run_id"][:run_length]),
    ]


def _fitted(cells: dict[Column, list[str]], width: int) -> dict[Column, list[str]]:
    """Columns dropped and names shortened until the table fits."""
    cells = {c: texts for c, texts in cells.items() if any(text != "-" for text in texts[1:])}
    for name in DROPPED:
        if _width(cells) <= width:
            return cells
        cells = {c: texts for c, texts in cells.items() if c.name != name}
    for dropped in range(len(DROPPED_LAST) + 1):
        kept = {c: texts for c, texts in cells.items() if c.name not in DROPPED_LAST[:dropped]}
        shortened = _shortened(kept, width)
        if _width(shortened) <= width:
            break
    return shortened


def _shortened(cells: dict[Column, list[str]], width: int) -> dict[Column, list[str]]:
    cells = dict(cells)
    while _width(cells) > width and (long := _longest(cells)) is not None:
        limit = max(map(len, cells[long])) - 1
        cells[long] = [_cut(text, limit) for text in cells[long]]
    return cells


def _longest(cells: dict[Column, list[str]]) -> Column | None:
    wide = [c for c, texts in cells.items() if c.shrinks and max(map(len, texts)) > SHORTEST]
    return max(wide, key=lambda c: max(map(len, cells[c])), default=None)


def _cut(text: str, limit: int) -> str:
    """At most `limit` characters; that weights are random stays readable."""
    if len(text) <= limit:
        return text
    end = RANDOM if text.endswith(RANDOM) else ""
    name = text.removesuffix(end).rstrip("…")
    return f"{name[:limit - len(end) - 1]}…{end}"


def _width(cells: dict[Column, list[str]]) -> int:
    return sum(max(map(len, texts)) for texts in cells.values()) + len(GAP) * (len(cells) - 1)


def _padded(column: Column, texts: list[str]) -> list[str]:
    width = max(map(len, texts))
    return [text.rjust(width) if column.right else text.ljust(width) for text in texts]


def _title(listed: list[Row], rows: list[Row]) -> list[str]:
    first = listed[0]
    dataset = min(row["dataset"] for row in listed)
    digests = {row["data_digest"] for row in rows if row["dataset"] == dataset and row["task"] == first["task"]}
    named = f"{dataset} [{first['data_digest'][:6]}]" if len(digests - {""}) > 1 else dataset
    return [f"{TITLES.get(first['task'], first['task'])} on {named}", f"{first['split']} split", first["metric"]]


def _shared(listed: list[Row]) -> list[str]:
    """What all rows of the board have in common."""
    shared = {c.name: c.text(listed[0]) for c in _columns(listed, 0) if c.name in _lifted(listed)}
    most = max(listed, key=lambda row: row["units"])
    words = [_counted(most["units"], most["unit"])] if most["units"] else []
    phrase = {"protocol": "{} protocol", "smoothing": "smoothing {}", "cover": "coverage {}",
              "seeds": "{} seed" if shared.get("seeds", "").split()[-1:] == ["1"] else "{} seeds"}
    return words + [phrase[name].format(shared[name]) for name in LIFTED if shared.get(name, "-") != "-"]


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _lifted(listed: list[Row]) -> set[str]:
    return {c.name for c in _columns(listed, 0) if c.name in LIFTED and len({c.text(row) for row in listed}) == 1}


def _joined(parts: list[str], width: int) -> str:
    """Parts separated by semicolons, broken between parts where a line would be too long."""
    lines: list[str] = []
    for part in parts:
        if lines and len(lines[-1]) + len(part) + 3 <= width:
            lines[-1] += f"; {part}"
        else:
            lines.append(part)
    return "\n".join(lines)


def _legend(rows: list[Row], width: int, raw: bool) -> str:
    marks = [
        ("b", "baseline", any(row["kind"] == "baseline" for row in rows)),
        ("p", "published figure, not ranked", any(row["kind"] == "published" for row in rows)),
        ("o", "optimistic: chosen on the split it reports", any(_optimistic(row) for row in rows)),
        ("u", "an undefined metric counts as 0", any(row["undefined"] for row in rows)),
        ("(random)", "backbone weights are random", any(row["random_weights"] for row in rows)),
        ("raw", "without smoothing", raw and any(row["unsmoothed"] is not None for row in rows)),
        ("±", "standard deviation over seeds", any(row["std"] is not None for row in rows)),
    ]
    return _joined([f"{mark} {meaning}" for mark, meaning, used in marks if used], width)


def _optimistic(row: Row) -> bool:
    return row["protocol"] == "published" and row["kind"] == "run"


def _marks(row: Row) -> str:
    kind = {"baseline": "b", "published": "p"}.get(row["kind"], "")
    return kind + "o" * _optimistic(row) + "u" * bool(row["undefined"])


def _rank_column(listed: list[Row]) -> Column:
    """Ranks right-aligned, their marks left-aligned after them."""
    width = max(len(_marks(row)) for row in listed)
    room = width + 1 if width else 0

    def text(row: Row) -> str:
        return ("-" if row["rank"] is None else str(row["rank"])) + f" {_marks(row)}"[:room].ljust(room)

    return Column("#" + " " * room, text, right=True)


def _backbone(row: Row) -> str:
    return (row["backbone"] or "-") + (RANDOM if row["random_weights"] else "")


def _smoothing(row: Row) -> str:
    if row["kernel"] is None:
        return "-"
    return "none" if row["kernel"] == "none" or row["radius"] == 0 else f"{row['kernel']} r={row['radius']:g}"


def _any_negative(listed: list[Row]) -> bool:
    return any(round(row["value"] or 0.0, 3) < 0 for row in listed)


def _value(row: Row, sign: str) -> str:
    """sign: the format's sign option; a blank where some value of the board is negative, so that points align."""
    if row["value"] is None:
        return "failed"
    return f"{round(row['value'], 3) + 0.0:{sign}.3f}" + (f" ± {row['std']:.3f}" if row["std"] is not None else "")


def _interval(row: Row) -> str:
    return "-" if row["ci_low"] is None or row["ci_high"] is None else f"{row['ci_low']:.3f} to {row['ci_high']:.3f}"


def _seeds(row: Row) -> str:
    done, missing = len(row["seeds"]), len(row["seeds_missing"])
    return f"{done} of {done + missing}" if missing else str(done)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{round(value, 3) + 0.0:.3f}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}%"


def _count(parameters: int) -> str:
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if parameters >= size:
            return f"{parameters / size:.3g}{unit}"
    return str(parameters) if parameters else "-"


def _unique_prefix(run_ids: list[str], shortest: int = 6) -> int:
    """Characters that tell the runs apart."""
    known = set(run_ids)
    longest = max(map(len, known), default=0)
    return next((n for n in range(shortest, longest) if len({r[:n] for r in known}) == len(known)), longest)
