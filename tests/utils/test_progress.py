"""When a progress bar is shown."""

import subprocess
import sys

CODE = """
import sys, time, types
{before}
from harness.utils.progress import Progress, VideoProgress
with {progress} as progress:
    progress(1, 4)
    time.sleep(0.3)
    progress(2, 4)
"""
NOTEBOOK = "sys.modules['ipykernel'] = types.ModuleType('ipykernel')"


def stderr_of(before, progress="Progress('jobs', unit='job')"):
    code = CODE.format(before=before, progress=progress)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stderr


def test_notebook_shows_a_bar():
    assert "jobs:  50%" in stderr_of(NOTEBOOK)


def test_file_output_shows_no_bar():
    assert stderr_of("") == ""


def test_video_shows_a_share_only_of_a_known_number_of_frames():
    assert "frames:  25%" in stderr_of(NOTEBOOK, "VideoProgress(8, 25)")
    unknown = stderr_of(NOTEBOOK, "VideoProgress(None, 25)")
    assert "2 frame" in unknown and "%" not in unknown
