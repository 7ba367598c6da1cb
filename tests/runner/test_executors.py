"""Worker processes, started from a script or notebook."""

import subprocess
import sys

import torch

from harness.runner.executors import SerialExecutor


def test_workers_do_not_rerun_unguarded_script(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import os\nprint('started')\n\nfrom harness.runner.executors import local_executor\n"
        "with local_executor(2) as pool:\n    print(pool.submit(os.getpid).result() != os.getpid())\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=600)
    assert done.stdout.split() == ["started", "True"], done.stderr


def test_number_of_threads_is_left_as_it_was():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert SerialExecutor().submit(torch.get_num_threads).result() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
