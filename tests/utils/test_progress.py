"""When a progress bar is shown."""

import subprocess
import sys

CODE = """
import sys, time, types
{before}
from harness.utils.progress import Progress
with Progress("jobs", unit="job") as progress:
    progress(1, 4)
    time.sleep(0.3)
    progress(2, 4)
"""


def stderr_of(before):
    return subprocess.run(
        [sys.executable, "-c", CODE.format(before=before)], capture_output=True, text=True, check=True
    ).stderr


def test_notebook_shows_a_bar():
    assert "jobs:  50%" in stderr_of("sys.modules['ipykernel'] = types.ModuleType('ipykernel')")


def test_file_output_shows_no_bar():
    assert stderr_of("") == ""
