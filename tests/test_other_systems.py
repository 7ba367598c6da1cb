"""Code paths of macOS and Windows, on a system whose modules and functions are hidden as they are there."""

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.runner.executors import local_executor

HOME = Path(__file__).resolve().parents[1]
WITHOUT = {
    "macOS": ((), ("sched_getaffinity", "sched_setaffinity", "O_DIRECT")),
    "Windows": (
        ("fcntl", "resource", "pwd", "grp", "termios"),
        (
            *("sched_getaffinity", "getuid", "geteuid", "getgid", "fork", "killpg", "setsid", "statvfs", "sysconf"),
            *("O_NONBLOCK", "O_CLOEXEC", "getloadavg", "uname", "mkfifo", "pread", "WNOHANG", "chown"),
        ),
    ),
}
"""Modules and names of `os` that a system lacks."""
IMPORT_ALL = """
import importlib, os, pkgutil, signal, sys
import av, cv2, matplotlib, mlflow, onnx, optuna, pandas, pytorch_lightning, scipy.stats, sklearn, timm, torch

modules, names = {modules!r}, {names!r}
for module in modules:
    sys.modules[module] = None
for name in names:
    if hasattr(os, name):
        delattr(os, name)
if modules:
    for name in ("SIGKILL", "SIGHUP", "SIGALRM", "SIGUSR1"):
        delattr(signal, name)
failed = []
for package in ("backbones", "harness", "experiments"):
    root = importlib.import_module(package)
    for module in pkgutil.walk_packages(root.__path__, package + "."):
        if module.name.rpartition(".")[2] not in ("__main__", "executorch", "litert", "openvino", "framelight_onnx"):
            try:
                importlib.import_module(module.name)
            except Exception as error:
                failed.append(f"{{module.name}}: {{error!r}}")
print(*failed, sep="\\n")
"""


@pytest.mark.slow
@pytest.mark.parametrize("system", WITHOUT)
def test_every_module_can_be_imported(system):
    modules, names = WITHOUT[system]
    code = IMPORT_ALL.format(modules=modules, names=names)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=HOME)
    assert (done.stdout.strip(), done.returncode) == ("", 0), done.stderr


@pytest.mark.slow
def test_workers_are_started_anew_where_they_cannot_be_copied(monkeypatch):
    monkeypatch.setattr(multiprocessing, "get_all_start_methods", lambda: ["spawn"])
    with local_executor(2) as pool:
        assert pool.submit(os.getpid).result() != os.getpid() and pool._mp_context.get_start_method() == "spawn"
