"""What the published networks cost on a phone, as a table beside their figures."""

from __future__ import annotations

from harness.published import costs

HEADER = ("backbone", "input", "width", "size", "a frame")
TITLE = "Published cost: one frame on a Samsung Fold 3 (Qualcomm 888), mean ± standard deviation"


def costs_text(markdown: bool = False) -> str:
    """Size and speed of each published network, smallest first."""
    rows = [(cost.backbone, str(cost.input_size), str(cost.embedding_width), f"{cost.size_mb:g} MB",
             f"{cost.milliseconds:g} ± {cost.deviation:g} ms")
            for cost in sorted(costs(), key=lambda cost: (cost.milliseconds, cost.backbone))]
    if markdown:
        lines = [HEADER, ("---", *["---:"] * (len(HEADER) - 1)), *rows]
        return f"### {TITLE}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines)
    widths = [max(map(len, column)) for column in zip(HEADER, *rows)]
    lines = ["  ".join(cell.ljust(widths[0]) if place == 0 else cell.rjust(widths[place])
                       for place, cell in enumerate(row)) for row in (HEADER, *rows)]
    return "\n".join([TITLE, "", lines[0], "-" * len(lines[0]), *lines[1:]])
