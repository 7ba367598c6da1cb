"""The Markdown pages of the project, and the commands on them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

HOME = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [HOME / "README.md", *(HOME / ".github").rglob("*.md")]
    + [page for part in ("backbones", "experiments", "harness") for page in (HOME / part).rglob("README.md")]
)


def page_name(page: Path) -> str:
    return str(page.relative_to(HOME))


def bash_commands(page: Path) -> Iterator[list[str]]:
    """The words of each command of the page's bash blocks, without comments."""
    for block in re.findall(r"```bash\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.S):
        for line in block.replace("\\\n", " ").splitlines():
            for part in line.split("&&"):
                words = shlex.split(part, comments=True)
                if words:
                    yield words
