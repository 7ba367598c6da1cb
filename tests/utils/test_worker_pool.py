"""Worker processes of a command that is interrupted with Ctrl-C, which all its processes receive, or killed."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from harness.utils.worker_interrupts import blocked_interrupts
from harness.utils.worker_pool import WorkerPool

START = """
import sys, time
from harness.utils.worker_pool import WorkerPool
try:
    with WorkerPool(2, preload={preload}) as pool:
        futures = [pool.submit(time.sleep, {seconds}) for _ in range({tasks})]
        {ready}
        print("ready", flush=True)
        time.sleep(60)
except KeyboardInterrupt:
    print("interrupted", flush=True)
    sys.exit(130)
"""
IDLE = START.format(preload=[], seconds=0, tasks=2, ready="[future.result() for future in futures]")
BUSY = START.format(preload=[], seconds=60, tasks=2, ready="time.sleep(1)")
STARTING = START.format(preload=["torch"], seconds=60, tasks=2, ready="")
PRELOADING = "import threading\nthreading.Timer(0.5, print, ('ready',), {'flush': True}).start()\n" + STARTING
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


def start(script, folder):
    (folder / "script.py").write_text(script)
    process = subprocess.Popen(
        [sys.executable, folder / "script.py", folder / "out"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stdout.readline().strip() == "ready"
    return process


def wait_for_end_of(session):
    deadline = time.monotonic() + 60
    while session_processes(session):
        assert time.monotonic() < deadline, "processes are left"
        time.sleep(0.1)


SCRIPTS = {"idle": IDLE, "busy": BUSY, "starting": STARTING, "preloading": PRELOADING, "drawing": DRAWING}


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_workers_end_without_a_traceback(script, tmp_path):
    process = start(script, tmp_path)
    os.killpg(process.pid, signal.SIGINT)
    printed, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (130, "") and printed.splitlines()[-1] == "interrupted"
    wait_for_end_of(process.pid)


def test_interrupted_worker_refuses_further_tasks():
    with WorkerPool(1) as pool:
        os.kill(pool.submit(os.getpid).result(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            pool.submit(os.getpid).result()


@pytest.mark.parametrize("script", [BUSY, DRAWING], ids=["busy", "drawing"])
def test_workers_end_with_a_killed_command(script, tmp_path):
    process = start(script, tmp_path)
    process.kill()
    process.communicate(timeout=120)
    wait_for_end_of(process.pid)


def test_interrupt_of_this_process_alone_ends_the_tasks():
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt), WorkerPool(2) as pool:
        for _ in range(4):
            pool.submit(time.sleep, 60)
        raise KeyboardInterrupt
    assert time.monotonic() - begin < 50


def test_interrupt_that_another_thread_receives_is_held_back():
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()  # does not block the signal
    inside = []
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), blocked_interrupts():
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.2)
            inside.append(True)
    finally:
        signal.signal(signal.SIGINT, before)
        done.set()
        thread.join()
    assert inside
