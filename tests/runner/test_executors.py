"""Worker processes, started from a script or notebook."""

import os
import subprocess
import sys

import torch

from backbones.telemetry import NO_TELEMETRY
from harness.runner.executors import SerialExecutor
from harness.utils.process_environment import PASSIVE_WAITING


def test_workers_do_not_rerun_unguarded_script(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import os\nprint('started')\n\nfrom harness.runner.executors import local_executor\n"
        "with local_executor(2) as pool:\n    print(pool.submit(os.getpid).result() != os.getpid())\n"
        "    print(pool.submit(os.getenv, 'OMP_WAIT_POLICY').result())\n"
        f"    print(*(pool.submit(os.getenv, name).result() for name in {list(NO_TELEMETRY)}))\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=600, env=without_choices())
    assert done.stdout.split() == ["started", "True", "PASSIVE", *NO_TELEMETRY.values()], done.stderr


def without_choices():
    """The environment without variables that the workers inherit."""
    return {name: value for name, value in os.environ.items() if name not in (*PASSIVE_WAITING, *NO_TELEMETRY)}


def test_number_of_threads_is_left_as_it_was():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert SerialExecutor().submit(torch.get_num_threads).result() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
