"""Closed streams, and streams whose encoding lacks characters of tables, messages and names."""

import io
import os
import subprocess
import sys

import pytest

from harness.cli import main
from harness.leaderboard.table_layout import Column, fit_to_width, table_lines
from harness.utils.errors import FramelightError
from harness.utils.progress import Progress
from harness.utils.streams import command_streams, encodable, flush_output
from harness.utils.text import ruled_table

TEXT = "Grüße … 0.5 ± 0.1 → 永 \udce9"


def stream(encoding, errors="strict"):
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors=errors, write_through=True)


@pytest.mark.parametrize(
    "encoding, printed",
    [
        ("ascii", "Gr\\xfc\\xdfe ... 0.5 +- 0.1 -> \\u6c38 \\udce9"),
        ("latin-1", "Grüße ... 0.5 ± 0.1 -> \\u6c38 \\udce9"),
        ("cp1251", "Gr\\xfc\\xdfe … 0.5 ± 0.1 -> \\u6c38 \\udce9"),
        ("utf-8", "Grüße … 0.5 ± 0.1 → 永 \\udce9"),
    ],
)
def test_every_text_can_be_printed(monkeypatch, encoding, printed):
    out, err = stream(encoding), stream(encoding, "backslashreplace")
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    with command_streams():
        print(TEXT)
        print(TEXT, file=sys.stderr)
        assert encodable(TEXT) == printed
    assert [part.buffer.getvalue().decode(encoding) for part in (out, err)] == [f"{printed}\n"] * 2
    assert (out.errors, err.errors) == ("strict", "backslashreplace")


def test_tables_stay_aligned_in_ascii(monkeypatch):
    monkeypatch.setattr(sys, "stdout", stream("ascii"))
    lines = ruled_table([("name", "score"), ("é", "0.5 ± 0.1"), ("plain", "0.5")])
    assert lines == ["name        score", "-" * 17, "\\xe9   0.5 +- 0.1", "plain         0.5"]
    column = Column("name", lambda row: row, shrinks=True)
    cells = fit_to_width(["a_name_that_is_much_too_long", "é"], lambda wording: [column], [], [], 20)
    assert [len(line) <= 20 and line.isascii() for line in table_lines(cells)] == [True] * 4
    assert "..." in table_lines(cells)[2]


def test_parts_without_streams(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    with Progress("title") as progress:
        progress(1, 2)
    assert encodable("é") == "é"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_output_that_cannot_be_written_is_an_error(monkeypatch):
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        print("text")
        with pytest.raises(FramelightError, match="cannot write standard output: No space left on device"):
            flush_output()


def test_usage_errors_are_printed_in_ascii(monkeypatch):
    err = stream("ascii")
    monkeypatch.setattr(sys, "stderr", err)
    with pytest.raises(SystemExit):
        main(["leaderboard", "--frömat", "csv"])
    assert b"--fr\\xf6mat" in err.buffer.getvalue()


PROGRAM = """
import os, subprocess, sys
from harness.utils.streams import command_streams
with command_streams():
    with open(sys.argv[1], "w") as file:
        print("lost")
        print("lost", file=sys.stderr)
        sys.stdin.read()
        program = "import sys; print(1); print(sys.stdin.read(), file=sys.stderr)"
        subprocess.run([sys.executable, "-c", program], check=True)
        file.write(f"{file.fileno() > 2}")
"""


def test_closed_streams_lead_nowhere(tmp_path):
    command = f'"{sys.executable}" -c "$PROGRAM" "{tmp_path}/file" <&- >&- 2>&-'
    subprocess.run(["bash", "-c", command], env={**os.environ, "PROGRAM": PROGRAM}, check=True)
    assert (tmp_path / "file").read_text() == "True"
