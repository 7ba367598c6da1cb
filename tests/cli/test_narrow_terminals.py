"""Help and results on terminals of 60 and 80 columns."""

import argparse
import os
import pty
import subprocess
import sys

import pytest

from harness import leaderboard
from harness.cli.parser import build_parser
from tests.helpers import small_run


def parsers(parser):
    """A parser and those of all its commands."""
    yield parser
    yield from getattr(parser, "subcommands", {}).values()
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from parsers(command)


def on_terminal(columns, *arguments):
    """The lines that a command prints on a terminal."""
    own, end = pty.openpty()
    done = subprocess.Popen(
        small_run.command(*arguments), stdout=end, stderr=subprocess.DEVNULL, env={**os.environ, "COLUMNS": columns}
    )
    os.close(end)
    parts = []
    while True:
        try:
            part = os.read(own, 65536)
        except OSError:  # the command has ended
            break
        if not part:
            break
        parts.append(part)
    os.close(own)
    assert done.wait() == 0
    text = b"".join(parts).decode()
    for code in ("\x1b[1m", "\x1b[0m"):
        text = text.replace(code, "")
    return text.replace("\r", "").splitlines()


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="argparse colors help")
@pytest.mark.parametrize("columns", [60, 80])
def test_help_fits(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    pages = [parser.format_help() for parser in parsers(build_parser())]
    assert len(pages) == 21
    for page in pages:
        assert max(map(len, page.splitlines())) <= columns, page
        assert "%%" not in page and "framelight-\n" not in page, page


@pytest.mark.parametrize("columns", ["60", "80"])
def test_what_is_known_of_runs_fits(finished, columns):
    store, _ = finished
    rows = on_terminal(columns, "leaderboard", "--task", "expr", "--store", store)
    ids = leaderboard(store, "expr")["run_id"]
    pages = {
        "leaderboard": rows,
        "show": on_terminal(columns, "show", ids[0], "--store", store),
        "compare": on_terminal(columns, "compare", ids[0], ids[1], "--store", store),
        "recipes": on_terminal(columns, "recipes"),
        "backbones": on_terminal(columns, "backbones", "--store", store),
    }
    for command, lines in pages.items():
        wide = [line for line in lines if len(line) > int(columns) and str(store) not in line]
        assert len(lines) > 5 and not wide, (command, wide)
