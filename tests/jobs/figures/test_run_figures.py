"""Figures of a run: which ones, determinism and titles."""

import gc
import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from harness.jobs.figures import plot_run
from harness.jobs.figures.classification import draw_expression_confusion
from harness.jobs.figures.scored_run import ScoredRun
from harness.metrics.tasks import get_task
from harness.utils.errors import FramelightError
from harness.utils.plotting.style import ALARM
from tests.helpers.scored_runs import amount, pixels, scored_run, targets_of

HELD = {
    "expr": {"confusion", "f1", "traces", "smoothing", "reliability"},
    "va": {"ccc", "traces", "smoothing", "reliability"},
    "au": {"f1", "traces", "smoothing", "reliability"},
    "mtl": {"confusion", "f1", "ccc", "traces", "smoothing", "reliability"},
}
BYTES = """
import hashlib, pathlib, sys
from harness.jobs.figures import plot_run
from tests.helpers.scored_runs import scored_run
for path in plot_run(pathlib.Path(sys.argv[1]), *scored_run("mtl")):
    print(path.name, hashlib.sha256(path.read_bytes()).hexdigest())
assert "matplotlib.pyplot" not in sys.modules
"""


@pytest.mark.parametrize("name", HELD)
def test_run_has_the_figures_of_its_task(tmp_path, name):
    drawn = plot_run(tmp_path, *scored_run(name))
    assert {path.stem for path in drawn} == HELD[name]
    assert set((tmp_path / "pictures").iterdir()) == set(drawn)
    assert all(500 < pixels(path).shape[1] < 1300 for path in drawn)


@pytest.mark.parametrize("name", HELD)
def test_stills_have_neither_traces_nor_smoothing(tmp_path, name):
    drawn = plot_run(tmp_path, *scored_run(name, units=80, frames=1, temporal=False))
    assert {path.stem for path in drawn} == HELD[name] - {"traces", "smoothing"}


def test_single_radius_has_no_curve(tmp_path):
    assert "smoothing.png" not in {path.name for path in plot_run(tmp_path, *scored_run(largest=0))}


@pytest.mark.parametrize(("name", "units"), [("mtl", 1), ("expr", 2), ("va", 2)])
@pytest.mark.filterwarnings("error")
def test_few_videos_are_drawn_without_warnings(tmp_path, name, units):
    assert len(plot_run(tmp_path, *scored_run(name, units=units))) == len(HELD[name])


@pytest.mark.filterwarnings("error")
def test_constant_outputs_and_absent_classes_do_not_warn(tmp_path):
    rows = 120
    targets = {
        "va": np.zeros((rows, 2), np.float32),
        "expr": np.zeros(rows, np.int64),
        "au": np.zeros((rows, 12), np.int8),
    }
    run = scored_run("mtl", units=3, targets=targets, outputs=np.full((rows, 22), 0.1, np.float32))
    drawn = plot_run(tmp_path, *run)
    assert len(drawn) == 6 and all(amount(path, ALARM) for path in drawn if path.stem in ("f1", "ccc"))


@pytest.mark.filterwarnings("error")
def test_video_without_label_of_one_output_is_drawn(tmp_path):
    targets = targets_of(np.random.default_rng(0), get_task("mtl"), 80)
    targets["expr"][:40] = -1
    targets["va"][40:] = -5
    drawn = plot_run(tmp_path, *scored_run("mtl", units=2, targets=targets))
    assert len(drawn) == 6


def test_optimistic_runs_are_marked_on_every_figure(tmp_path):
    for path in plot_run(tmp_path / "fair", *scored_run("va", noise=0.5)):
        assert amount(path, ALARM) == 0
    for path in plot_run(tmp_path / "optimistic", *scored_run("va", noise=0.5, protocol="published")):
        assert amount(path, ALARM) > 100


def test_figures_do_not_depend_on_process_or_matplotlibrc(tmp_path):
    settings = tmp_path / "matplotlibrc"
    settings.write_text("font.size: 23\naxes.facecolor: black\nlines.linewidth: 9\nsavefig.dpi: 33\n")
    there = subprocess.run(
        [sys.executable, "-c", BYTES, tmp_path / "there"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "MATPLOTLIBRC": str(settings), "TZ": "Asia/Tokyo"},
    ).stdout
    here = plot_run(tmp_path / "here", *scored_run("mtl"))
    assert there.splitlines() == [f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in here]
    assert len(here) == 6


def test_garbage_collection_is_restored_after_errors(tmp_path):
    (tmp_path / "pictures").write_text("in the way")
    with pytest.raises(FramelightError, match="cannot write"):
        plot_run(tmp_path, *scored_run(largest=0))
    assert gc.isenabled()


def test_import_does_not_import_matplotlib():
    code = "import sys, harness.jobs.figures; print(sorted({'matplotlib', 'PIL', 'torch'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_names_are_drawn_without_math_text(tmp_path):
    """A dollar sign does not start a formula, and a long name does not exceed the figure."""
    drawn = []
    for name in ("plain", "a$b$\\frac", "long" * 30):
        draw_expression_confusion(
            tmp_path / "drawn.png", ScoredRun(*scored_run(largest=0, backbone=name, dataset=name))
        )
        drawn.append(pixels(tmp_path / "drawn.png"))
    assert len({picture.shape for picture in drawn}) == 1
    assert all((picture[:, -8:] == 255).all() for picture in drawn)
