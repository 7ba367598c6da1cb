"""Ctrl-C in a terminal, which all processes of a command receive."""

import os
import signal
import subprocess
import sys
import time

import pytest

START = """
import sys, time
from harness.runner.executors import WorkerPool
try:
    with WorkerPool(2, torch={torch}) as pool:
        futures = [pool.submit(time.sleep, {seconds}) for _ in range({tasks})]
        {ready}
        print("ready", flush=True)
        time.sleep(60)
except KeyboardInterrupt:
    print("interrupted", flush=True)
    sys.exit(130)
"""
IDLE = START.format(torch=False, seconds=0, tasks=2, ready="[future.result() for future in futures]")
BUSY = START.format(torch=False, seconds=60, tasks=2, ready="time.sleep(1)")
STARTING = START.format(torch=True, seconds=60, tasks=2, ready="")
DRAWING = """
import sys
from pathlib import Path
from harness.data.synthetic import make
def progress(done, total):
    print("ready", flush=True)
try:
    make(Path(sys.argv[1]), videos=4, frames=400, stills=0, workers=4, progress=progress)
except KeyboardInterrupt:
    print("interrupted", flush=True)
    sys.exit(130)
"""


def session_processes(session):
    listed = subprocess.run(["ps", "-eo", "sess,stat"], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listed.splitlines()[1:]]
    return sum(owner == str(session) and not state.startswith("Z") for owner, state in rows)


@pytest.mark.parametrize("script", [IDLE, BUSY, STARTING, DRAWING], ids=["idle", "busy", "starting", "drawing"])
def test_workers_end_without_a_traceback(script, tmp_path):
    (tmp_path / "script.py").write_text(script)
    process = subprocess.Popen(
        [sys.executable, tmp_path / "script.py", tmp_path / "out"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stdout.readline().strip() == "ready"
    os.killpg(process.pid, signal.SIGINT)
    printed, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (130, "") and printed.splitlines()[-1] == "interrupted"
    deadline = time.monotonic() + 60
    while session_processes(process.pid):
        assert time.monotonic() < deadline, "processes are left"
        time.sleep(0.1)
