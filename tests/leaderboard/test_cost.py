"""Cost of exported files, computed from records and statistics only."""

import csv
import dataclasses
import io
import json
import shutil

import pytest

from harness.jobs.job_folder import STATISTICS
from harness.leaderboard.cost import cost_rows, export_key
from harness.leaderboard.cost_plot import draw_cost
from harness.leaderboard.cost_text import render_cost
from harness.leaderboard.significance import SignificanceCache
from harness.tracking.export_records import ExportRecord, read_exports, write
from harness.utils.store import Store
from tests.helpers.job_statistics import keep

SIZES = {"float32": 1.82e6, "float16": 0.96e6, "int8": 0.63e6}
TIMES = {"float32": (0.70, 0.45), "float16": (0.73, 0.5), "int8": (0.56, 0.4)}


def exported(job, precision, value=None, faster=1.0, **changes):
    """A document as `framelight export` writes it; the figures are those of a run on the rendered set."""
    one, two = (time / faster for time in TIMES[precision])
    return ExportRecord(
        **{
            **dict(
                job_id=job.job_id,
                group_id=job.group_id,
                task=job.task,
                format="onnx",
                precision=precision,
                file=f"model-{precision}.onnx",
                sha256="ab" * 32,
                size=int(SIZES[precision] / faster),
                parameters=435_218,
                macs=20_900_000,
                device="AMD EPYC, 2 cores",
                memory=75.0,
                largest=5e-5,
                agreement=0.999,
                crops=2665,
                latency={"1": {"median": one, "p95": one * 1.1}, "2": {"median": two, "p95": two * 1.2}},
                metric=job.metric,
                value=job.metrics[job.metric] if value is None else value,
                run_value=job.metrics[job.metric],
            ),
            **changes,
        }
    )


@pytest.fixture
def store(tmp_path):
    """Three runs: two of them exported, with statistics, and what was kept of their files."""
    jobs = [
        *keep(tmp_path, "wins", 0.5, seeds=(0, 1)),
        *keep(tmp_path, "small", 0.4, seeds=(0,), backbone="tiny"),
        *keep(tmp_path, "alone", 0.45, seeds=(0,)),
    ]
    worse = keep(tmp_path / "worse", "wins", 0.42, seeds=(0,))[0]
    files = [
        exported(jobs[0], "float32"),
        exported(jobs[0], "int8", worse.metrics["P_EXPR"]),
        exported(jobs[2], "float32", faster=2.0),
    ]
    for one in files:
        path = write(Store(tmp_path), one)
        source = tmp_path / ("worse" if one.precision == "int8" else "") / "artifacts/jobs" / one.job_id / STATISTICS
        shutil.copy(source, path.with_suffix(".npz"))
    return tmp_path, jobs, files


def listed(store):
    path, jobs, files = store
    paths = {export_key(one): Store(path).exported(one.job_id) / f"{one.format}-{one.precision}.npz" for one in files}
    cache = SignificanceCache(Store(path), paths=paths)
    return cost_rows(jobs, read_exports(Store(path)), {"alone": 1_000_000}, significance=cache)


def test_each_file_has_its_score_and_each_run_without_one_its_own(store):
    rows = listed(store)
    assert [(row.run_id, row.seed, row.precision) for row in rows] == [
        ("wins", 0, "float32"),
        ("alone", None, None),
        ("wins", 0, "int8"),
        ("small", 0, "float32"),
    ]
    whole, alone, quantised, _ = rows
    assert (whole.difference, whole.difference_low, whole.difference_high) == (0, 0, 0)
    assert quantised.difference == pytest.approx(quantised.value - whole.value) and quantised.difference < 0
    assert quantised.difference_low < quantised.difference < quantised.difference_high
    assert quantised.ci_low < quantised.value < quantised.ci_high
    assert (alone.format, alone.latency_1, alone.macs, alone.pareto) == (None, None, 1_000_000, False)
    assert (whole.latency_1, whole.p95_2, whole.size, whole.macs) == (0.70, 0.54, 1_820_000, 20_900_000)


def test_dominated_files_are_not_on_the_front(store):
    path, jobs, files = store
    write(Store(path), exported(jobs[0], "float16", 0.3))
    marked = {(row.run_id, row.precision): row.pareto for row in listed(store)}
    assert marked == {
        ("wins", "float32"): True,
        ("wins", "int8"): True,
        ("wins", "float16"): False,
        ("small", "float32"): True,
        ("alone", None): False,
    }


def test_times_of_two_devices_are_not_compared(store):
    path, jobs, _ = store
    write(Store(path), exported(jobs[0], "float16", 0.3, device="Cortex-A78, 8 cores"))
    rows = listed(store)
    assert next(row for row in rows if row.precision == "float16").pareto
    text = render_cost(rows, width=200)
    assert "(1) AMD EPYC, 2 cores; (2) Cortex-A78, 8 cores" in text


def test_incomplete_files_are_not_on_the_front(store):
    path, jobs, _ = store
    write(Store(path), exported(jobs[1], "float32", latency={}, memory=None))
    write(Store(path), dataclasses.replace(exported(jobs[1], "int8"), value=None, largest=None, agreement=None))
    rows = {(row.run_id, row.seed, row.precision): row for row in listed(store)}
    assert rows["wins", 1, "float32"].pareto is rows["wins", 1, "int8"].pareto is False
    assert list(rows)[-1] == ("wins", 1, "int8") and rows["wins", 1, "int8"].value is None
    assert "wins" in render_cost(list(rows.values()), "md")


def test_files_of_a_run_that_is_not_tracked_here_are_left_out(store):
    path, jobs, files = store
    assert {row.run_id for row in cost_rows(jobs[:2], read_exports(Store(path)), {})} == {"wins"}


@pytest.mark.parametrize("width", [60, 80, 100, 140, 240])
def test_table_fits_and_has_a_legend(store, width):
    text = render_cost(listed(store), width=width)
    assert all(len(line) <= width for line in text.splitlines())
    assert "Measured on AMD EPYC, 2 cores." in text and "on the Pareto front" in text and "onnx int8" in text
    assert "1 run without an exported file" in text and "framelight export" in text
    if width > 200:
        assert "0.700 (0.770)" in text and "0.450 (0.540)" in text and "75 MiB" in text and "20.9M" in text


def test_formats_hold_the_same_figures(store):
    rows = listed(store)
    shown = json.loads(render_cost(rows, "json"))
    table = list(csv.DictReader(io.StringIO(render_cost(rows, "csv"))))
    assert [(row["run_id"], row["precision"] or "", row["size"] or "") for row in shown] == [
        (row["run_id"], row["precision"], row["size"] and int(row["size"])) for row in table
    ]
    assert [row["value"] for row in shown] == [float(row["value"]) for row in table]
    assert render_cost([], "json") == "[]\n"


def test_figure_is_deterministic(store):
    path, jobs, _ = store
    rows = listed(store)
    for file in ("first.png", "second.png"):
        draw_cost(path / file, rows)
    assert (path / "first.png").read_bytes() == (path / "second.png").read_bytes()
    assert (path / "first.png").read_bytes().startswith(b"\x89PNG")
