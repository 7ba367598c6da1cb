"""The boards as a reader sees them: aligned text for a terminal, and Markdown."""

from __future__ import annotations

from itertools import groupby

from harness.leaderboard.columns import Column, columns, optimistic
from harness.leaderboard.distinctions import unique_prefix
from harness.leaderboard.rows import Row, board

TITLES = {"expr": "Expression", "va": "Valence and arousal", "au": "Action units", "mtl": "Multi-task"}
DROPPED = ("params", "cover", "95 % interval", "raw")
"""Columns left out of a narrow table, in this order; long names are shortened next, then these go:"""
DROPPED_LAST = ("run", "seeds", "protocol", "smoothing", "features")
LIFTED = ("protocol", "seeds", "smoothing", "cover")
"""Columns that move into the title line when all rows of a board agree."""
SHORTEST, LONGEST_END = 12, 24
"""Characters to which names are shortened, and the most of a cell's end that this spares as long as it can."""
GAP = "  "
Cells = dict[Column, list[str]]


def table(rows: list[Row], width: int = 100, bold: bool = False) -> str:
    """Boards as aligned text within `width` characters, a legend of the marks at the end."""
    if not rows:
        return "no rows\n"
    run_length = unique_prefix(row["run_id"] for row in rows)
    boards = [list(part) for _, part in groupby(rows, key=board)]
    fitted = [_fitted(listed, run_length, width) for listed in boards]
    parts = [_board(listed, rows, cells, width, bold) for listed, cells in zip(boards, fitted)]
    legend = _legend(rows, width, [column for cells in fitted for column in cells])
    return "\n\n".join([*parts, *([legend] if legend else [])]) + "\n"


def markdown(rows: list[Row]) -> str:
    """A heading and a table with every column for each board, the legend of marks at the end."""
    run_length = unique_prefix(row["run_id"] for row in rows)
    parts, every = [], []
    for _, part in groupby(rows, key=board):
        listed = list(part)
        shown = _shown(listed, run_length)
        every += shown
        lines = [[c.name.strip() for c in shown], ["---:" if c.right else "---" for c in shown]]
        lines += [[c.text(row).strip().replace("|", "\\|") for c in shown] for row in listed]
        parts.append(f"### {'; '.join(_title(listed, rows))}\n\n{'; '.join(_shared(listed))}\n\n"
                     + "\n".join(f"| {' | '.join(line)} |" for line in lines))
    legend = _legend(rows, 10_000, every)
    return "\n\n".join([*parts, *([legend] if legend else [])] or ["no rows"]) + "\n"


def _board(listed: list[Row], rows: list[Row], cells: Cells, width: int, bold: bool) -> str:
    padded = [_padded(column, texts) for column, texts in cells.items()]
    lines = [GAP.join(line).rstrip() for line in zip(*padded)]
    if bold and listed[0]["rank"] == 1:
        lines[1] = f"\033[1m{lines[1]}\033[0m"
    rule = "-" * _width(cells)
    return "\n".join([_joined(_title(listed, rows), width), _joined(_shared(listed), width), "",
                      lines[0], rule, *lines[1:]])


def _fitted(listed: list[Row], run_length: int, width: int) -> Cells:
    """Less said of settings, columns dropped, names shortened until the table fits; what tells apart is cut last."""
    cells = _cells(listed, _shown(listed, run_length))
    if _width(cells) <= width:
        return cells
    cells = _cells(listed, _shown(listed, run_length, brief=True))
    for name in DROPPED:
        if _width(cells) <= width:
            return cells
        cells = {c: texts for c, texts in cells.items() if c.name != name}
    shortest = {c: max(SHORTEST, min(LONGEST_END, max(len(c.end(row)) for row in listed) + 3)) for c in cells}
    for dropped in range(len(DROPPED_LAST) + 1):
        kept = {c: texts for c, texts in cells.items() if c.name not in DROPPED_LAST[:dropped]}
        shortened = _shortened(kept, listed, width, shortest)
        if _width(shortened) <= width:
            return shortened
    return _shortened(kept, listed, width, dict.fromkeys(kept, SHORTEST))


def _cells(listed: list[Row], shown: list[Column]) -> Cells:
    """Each column's name and texts; columns that say nothing are left out."""
    cells = {c: [c.name, *(c.text(row) for row in listed)] for c in shown}
    return {c: texts for c, texts in cells.items() if any(text.strip() != "-" for text in texts[1:])}


def _shortened(cells: Cells, listed: list[Row], width: int, shortest: dict[Column, int]) -> Cells:
    cells = dict(cells)
    while _width(cells) > width and (long := _longest(cells, shortest)) is not None:
        limit = max(map(len, cells[long])) - 1
        ends = ["", *map(long.end, listed)]
        cells[long] = [_cut(text, limit, end) for text, end in zip(cells[long], ends)]
    return cells


def _longest(cells: Cells, shortest: dict[Column, int]) -> Column | None:
    wide = [c for c, texts in cells.items() if c.shrinks and max(map(len, texts)) > shortest[c]]
    return max(wide, key=lambda c: max(map(len, cells[c])), default=None)


def _cut(text: str, limit: int, end: str) -> str:
    """At most `limit` characters; the end stays readable as long as two characters of the name fit before it."""
    if len(text) <= limit:
        return text
    name, room = text.removesuffix(end).rstrip("…"), limit - len(end) - 1
    return f"{name[:room]}…{end}" if room >= 2 else f"{text.rstrip('…')[:limit - 1]}…"


def _width(cells: Cells) -> int:
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
    shared = {c.name: c.text(_telling(c, listed)[0]) for c in columns(listed, 0) if c.name in _lifted(listed)}
    most = max(listed, key=lambda row: row["units"])
    words = [_counted(most["units"], most["unit"])] if most["units"] else []
    phrase = {"protocol": "{} protocol", "smoothing": "smoothing {}", "cover": "coverage {}",
              "seeds": "{} seed" if shared.get("seeds", "").split()[-1:] == ["1"] else "{} seeds"}
    return words + [phrase[name].format(shared[name]) for name in LIFTED if shared.get(name, "-") != "-"]


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _shown(listed: list[Row], run_length: int, brief: bool = False) -> list[Column]:
    lifted = _lifted(listed)
    return [c for c in columns(listed, run_length, brief) if c.name not in lifted]


def _lifted(listed: list[Row]) -> set[str]:
    return {c.name for c in columns(listed, 0)
            if c.name in LIFTED and len({c.text(row) for row in _telling(c, listed)}) == 1}


def _telling(column: Column, listed: list[Row]) -> list[Row]:
    """The rows whose seeds a title speaks of: baselines have one, whatever the others have."""
    runs = [row for row in listed if row["kind"] == "run"]
    return runs if column.name == "seeds" and runs else listed


def _joined(parts: list[str], width: int) -> str:
    """Parts separated by semicolons, broken between parts where a line would be too long."""
    lines: list[str] = []
    for part in parts:
        if lines and len(lines[-1]) + len(part) + 3 <= width:
            lines[-1] += f"; {part}"
        else:
            lines.append(part)
    return "\n".join(lines)


def _legend(rows: list[Row], width: int, shown: list[Column]) -> str:
    marks = [
        ("b", "baseline", any(row["kind"] == "baseline" for row in rows)),
        ("p", "published figure, not ranked", any(row["kind"] == "published" for row in rows)),
        ("o", "optimistic: chosen on the split it reports", any(optimistic(row) for row in rows)),
        ("u", "an undefined metric counts as 0", any(row["undefined"] for row in rows)),
        ("(random)", "backbone weights are random", any(row["random_weights"] for row in rows)),
        ("mixed", "each seed chose its own kernel, r is the median radius", any(r["kernel"] == "mixed" for r in rows)),
        ("raw", "without smoothing", any(column.name == "raw" for column in shown)),
        ("±", "standard deviation over seeds", any(row["std"] is not None for row in rows)),
    ]
    return _joined([f"{mark} {meaning}" for mark, meaning, used in marks if used], width)
