"""The examples of harness/README.md run as printed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

HOME = Path(__file__).resolve().parents[1]
PAGE = HOME / "harness" / "README.md"
EXAMPLE = re.compile(r"<!-- example -->\n```python\n(.*?)```", flags=re.S)


def examples():
    """(heading, code) of each marked block."""
    for section in re.split(r"^#{2,3} ", PAGE.read_text(encoding="utf-8"), flags=re.M)[1:]:
        heading = section.splitlines()[0]
        yield from (pytest.param(code, id=heading) for code in EXAMPLE.findall(section))


def test_each_kind_of_extension_has_an_example():
    headings = {param.id for param in examples()}
    kinds = ("a backbone", "a head", "a smoothing kernel", "a data layout", "a task", "an export format")
    assert {f"Add {kind}" for kind in kinds} <= headings


@pytest.mark.parametrize("code", examples())
def test_example_runs(code, tmp_path):
    script = tmp_path / "example.py"
    script.write_text(code, encoding="utf-8")
    done = subprocess.run([sys.executable, script], cwd=HOME, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
