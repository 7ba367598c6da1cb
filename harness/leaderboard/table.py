"""The boards as a reader sees them: aligned text for a terminal, and Markdown."""

from __future__ import annotations

from itertools import groupby

from harness.leaderboard.columns import RANDOM, Column, columns, optimistic
from harness.leaderboard.rows import Row, board

TITLES = {"expr": "Expression", "va": "Valence and arousal", "au": "Action units", "mtl": "Multi-task"}
DROPPED = ("params", "cover", "95 % interval", "raw")
"""Columns left out of a narrow table, in this order; long names are shortened next, then these go:"""
DROPPED_LAST = ("run", "seeds", "protocol", "smoothing", "features")
LIFTED = ("protocol", "seeds", "smoothing", "cover")
"""Columns that move into the title line when all rows of a board agree."""
SHORTEST = 12
GAP = "  "


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
        shown = _shown(listed, run_length)
        lines = [[c.name.strip() for c in shown], ["---:" if c.right else "---" for c in shown]]
        lines += [[c.text(row).strip().replace("|", "\\|") for c in shown] for row in listed]
        parts.append(f"### {'; '.join(_title(listed, rows))}\n\n{'; '.join(_shared(listed))}\n\n"
                     + "\n".join(f"| {' | '.join(line)} |" for line in lines))
    legend = _legend(rows, 10_000, True)
    return "\n\n".join([*parts, *([legend] if legend else [])] or ["no rows"]) + "\n"


def _board(listed: list[Row], rows: list[Row], width: int, bold: bool, run_length: int) -> str:
    shown = _shown(listed, run_length)
    cells = _fitted({c: [c.name, *(c.text(row) for row in listed)] for c in shown}, width)
    padded = [_padded(column, texts) for column, texts in cells.items()]
    lines = [GAP.join(line).rstrip() for line in zip(*padded)]
    if bold and listed[0]["rank"] == 1:
        lines[1] = f"\033[1m{lines[1]}\033[0m"
    rule = "-" * _width(cells)
    return "\n".join([_joined(_title(listed, rows), width), _joined(_shared(listed), width), "",
                      lines[0], rule, *lines[1:]])


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
    shared = {c.name: c.text(listed[0]) for c in columns(listed, 0) if c.name in _lifted(listed)}
    most = max(listed, key=lambda row: row["units"])
    words = [_counted(most["units"], most["unit"])] if most["units"] else []
    phrase = {"protocol": "{} protocol", "smoothing": "smoothing {}", "cover": "coverage {}",
              "seeds": "{} seed" if shared.get("seeds", "").split()[-1:] == ["1"] else "{} seeds"}
    return words + [phrase[name].format(shared[name]) for name in LIFTED if shared.get(name, "-") != "-"]


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _shown(listed: list[Row], run_length: int) -> list[Column]:
    return [c for c in columns(listed, run_length) if c.name not in _lifted(listed)]


def _lifted(listed: list[Row]) -> set[str]:
    return {c.name for c in columns(listed, 0) if c.name in LIFTED and len({c.text(row) for row in listed}) == 1}


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
        ("o", "optimistic: chosen on the split it reports", any(optimistic(row) for row in rows)),
        ("u", "an undefined metric counts as 0", any(row["undefined"] for row in rows)),
        ("(random)", "backbone weights are random", any(row["random_weights"] for row in rows)),
        ("raw", "without smoothing", raw and any(row["unsmoothed"] is not None for row in rows)),
        ("±", "standard deviation over seeds", any(row["std"] is not None for row in rows)),
    ]
    return _joined([f"{mark} {meaning}" for mark, meaning, used in marks if used], width)


def _unique_prefix(run_ids: list[str], shortest: int = 6) -> int:
    """Characters that tell the runs apart."""
    known = set(run_ids)
    longest = max(map(len, known), default=0)
    return next((n for n in range(shortest, longest) if len({r[:n] for r in known}) == len(known)), longest)
