"""The server of the UI is ended with the command, however that ends."""

import os
import signal
import subprocess
import sys
import time

import pytest

SERVER = """
import signal, subprocess, sys, time
for name in ("SIGINT", "SIGTERM"):
    if "stubborn" in sys.argv:
        signal.signal(getattr(signal, name), signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
child.wait()
"""
COMMAND = """
import signal, sys
from harness.tracking import ui
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup, which may run the tests, ignores it
ui.END_SECONDS = 0.5
sys.exit(ui.serve(sys.argv[1:]))
"""


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:  # one that has ended may wait for its parent in a container without an init process
        with open(f"/proc/{pid}/stat") as status:
            return status.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return True


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="Windows has no sessions")
@pytest.mark.parametrize(
    "number, code, mode",
    [("SIGINT", -signal.SIGINT, ""), ("SIGTERM", 143, ""), ("SIGHUP", 129, ""), ("SIGTERM", 143, "stubborn")],
)
def test_processes_of_the_server_end_with_the_command(number, code, mode):
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, sys.executable, "-c", SERVER, mode],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    child = int(process.stdout.readline())
    process.send_signal(getattr(signal, number))
    assert process.wait(20) == code
    deadline = time.monotonic() + 5
    while is_running(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_running(child)


def test_status_of_the_server_is_returned():
    from harness.tracking.ui import serve

    assert serve([sys.executable, "-c", "raise SystemExit(3)"]) == 3


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no SIGHUP")
def test_ignored_signals_stay_ignored():
    """nohup ignores SIGHUP, so that the UI outlives the terminal."""
    from harness.tracking.ui import serve

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert serve(["sh", "-c", f"kill -HUP {os.getpid()}; exit 3"]) == 3
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
