"""`framelight predict --live`: causal rows as they arrive, and complete files at the end."""

import signal
import subprocess
import time

import cv2
import numpy as np
import pyarrow.parquet
import pytest

from harness.inference import tables
from harness.inference.face_stage import DetectAndTrack
from harness.inference.forward import SharedBackbonePass
from harness.smoothing import smooth
from harness.smoothing.gaps import fill_gaps
from harness.video.camera import Camera
from harness.video.realtime import RealtimeSource
from tests.helpers import small_run
from tests.helpers.predict_command import PROBABILITIES, numbers, predict, rows, runs_of
from tests.helpers.video_files import film

EXPRESSIONS = PROBABILITIES["expr"]


def test_live_video_is_paced_and_smoothed_causally(readers, tmp_path, capsys):
    source = film(tmp_path / "a.mp4", 40, rate=20)
    began = time.monotonic()
    assert (
        predict(readers, source, tmp_path / "out", "--live", "--crops", "--kernel", "trailing_mean", "--radius", 4) == 0
    )
    assert time.monotonic() - began > 1.9
    printed = capsys.readouterr().out
    assert "trailing_mean of radius 4, mean lag 100 ms at 20 frames per second" in printed
    assert "dropped" in printed and " ms (95th percentile: " in printed
    frames = numbers(tmp_path / "out", "frame")[:, 0].astype(int)
    raw = numbers(tmp_path / "out", *(f"{name}_raw" for name in EXPRESSIONS))
    found = ~np.isnan(raw[:, 0])
    held = fill_gaps(frames[found], raw[found], frames[-1], "held")
    smoothed = smooth(held, "trailing_mean", 4)[frames - 1]
    assert numbers(tmp_path / "out", *EXPRESSIONS) == pytest.approx(smoothed, abs=1e-6)
    assert frames[-1] == 40  # the last frame is never dropped


def test_default_live_filter_is_exponential(readers, tmp_path):
    assert predict(readers, film(tmp_path / "a.mp4", 10), tmp_path / "out", "--live", "--crops") == 0
    (run,) = runs_of(tmp_path / "out")
    assert run["kernel"] == ("exponential" if run["radius"] else "none") and run["gaps"] == "held"


def test_first_calls_are_made_before_the_clock_starts(readers, tmp_path, monkeypatch):
    """Of detector, network and tables, with the pixels of the video: first calls take seconds."""
    happened = []

    def record(owner, name, entry):
        original = getattr(owner, name)
        monkeypatch.setattr(owner, name, lambda *arguments: happened.append(entry(*arguments)) or original(*arguments))

    record(tables, "as_csv", lambda *arguments: "table")
    record(RealtimeSource, "__iter__", lambda source: "clock")
    record(DetectAndTrack, "__call__", lambda stage, frame: frame.size)
    record(SharedBackbonePass, "__call__", lambda forward, crops: "network")
    source = film(tmp_path / "a.mp4", 3, 320, 240)
    assert predict(readers, source, tmp_path / "out", "--live") == 0
    before = happened[: happened.index("clock")]
    assert {"table", "network", (320, 240)} <= set(before) and before.count((320, 240)) > 1
    assert numbers(tmp_path / "out", "frame")[:, 0].min() == 1, "the frames of the video are not used up"


def test_ctrl_c_completes_the_files(readers, tmp_path):
    """Rows are there, whole lines only, while it runs; after Ctrl-C the tables hold as much, and the exit code is 0."""
    out = tmp_path / "out"
    process = subprocess.Popen(
        small_run.command(
            "predict",
            film(tmp_path / "a.mp4", 1500),
            "--run",
            "best:expr",
            "--store",
            readers,
            "--crops",
            "--live",
            "--out",
            out,
        ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines = []
    while len(lines) < 12:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
        lines = (out / "predictions.csv").read_text().splitlines() if (out / "predictions.csv").is_file() else []
    assert len({line.count(",") for line in lines}) == 1
    process.send_signal(signal.SIGINT)
    printed, said = process.communicate(timeout=600)
    assert process.returncode == 0, said
    assert "stopped; completing the tables" in said
    written = rows(out)
    assert len(lines) - 1 <= len(written) < 1500
    assert pyarrow.parquet.read_table(out / "predictions.parquet").num_rows == len(written)
    assert {path.name for path in out.iterdir()} == {
        "predictions.csv",
        "predictions.parquet",
        "predict.json",
        "summary.png",
    }


def test_seconds_ends_live_and_allows_render(readers, tmp_path):
    assert (
        predict(
            readers, film(tmp_path / "a.mp4", 100), tmp_path / "out", "--live", "--crops", "--seconds", ".8", "--render"
        )
        == 0
    )
    frames = numbers(tmp_path / "out", "frame")[:, 0]
    assert frames.max() == 20 and (tmp_path / "out" / "annotated.mp4").stat().st_size


def test_non_empty_folder_is_kept(readers, tmp_path, capsys):
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    source = film(tmp_path / "a.mp4", 5)
    assert predict(readers, source, out, "--live", "--crops") == 2
    assert [path.name for path in out.iterdir()] == ["mine.txt"]
    assert predict(readers, source, out, "--live", "--crops", "--force") == 0
    assert "mine.txt" not in {path.name for path in out.iterdir()}


def test_camera_is_read_until_its_end(readers, tmp_path, monkeypatch, capsys):
    """OpenCV's capture reads a file as it reads a device."""
    capture = cv2.VideoCapture(str(film(tmp_path / "a.mp4", 30)))
    monkeypatch.setattr("harness.video.camera.open_camera", lambda number: Camera(capture, f"camera:{number}", 25.0))
    assert predict(readers, "camera:0", tmp_path / "out") == 0
    said = capsys.readouterr()
    assert "camera:0 delivered no more frames" in said.err and "camera:0: " in said.out and "dropped" in said.out
    assert numbers(tmp_path / "out", "frame")[:, 0].max() == 30
