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


RUN_EACH = """
import os, runpy, sys, traceback
import timm, torch

for script in sys.argv[1:]:
    child = os.fork()
    if not child:
        os.dup2(os.open(script + ".err", os.O_WRONLY | os.O_CREAT), 2)
        try:
            runpy.run_path(script, run_name="__main__")
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    with open(script + ".status", "w") as file:
        file.write(str(status))
"""
"""Runs scripts in separate copies of one process, in which the libraries that take seconds to import are there."""


@pytest.fixture(scope="module")
def scripts(tmp_path_factory):
    """The script of each example, which has run; its status and its errors are in the files beside it."""
    folder = tmp_path_factory.mktemp("examples")
    paths = {param.id: folder / f"{number}.py" for number, param in enumerate(examples())}
    for param in examples():
        paths[param.id].write_text(param.values[0], encoding="utf-8")
    subprocess.run([sys.executable, "-c", RUN_EACH, *paths.values()], cwd=HOME, check=True)
    return paths


@pytest.mark.parametrize("heading", [param.id for param in examples()])
def test_example_runs(scripts, heading):
    status, errors = (Path(f"{scripts[heading]}.{name}").read_text() for name in ("status", "err"))
    assert status == "0", errors
