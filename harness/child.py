"""A module of the project run as a process of its own, so that what it reads never enters this one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HOME = Path(__file__).resolve().parents[1]


def run_module(module: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """`python -m MODULE ARGUMENTS`, ended; its output is kept, and the working directory is on no search path."""
    places = [str(HOME), os.environ.get("PYTHONPATH", "")]
    return subprocess.run([sys.executable, "-P", "-m", module, *map(str, arguments)], capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, places))})
