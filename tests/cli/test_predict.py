"""`framelight predict` on folders of crops, images and videos."""

import json
import shutil
import signal
import subprocess
import threading
import time

import numpy as np
import pytest

from harness.inference.chunks import partial_folder
from harness.inference.load_runs import LoadOptions, open_runs
from harness.smoothing import smooth
from harness.smoothing.gaps import fill_gaps
from harness.smoothing.kernels import SmoothingParams
from harness.utils.locks import entry_lock
from harness.utils.store import Store
from tests.helpers import small_run
from tests.helpers.predict_command import PROBABILITIES, kept, numbers, predict, rows, runs_of
from tests.helpers.video_files import film

BOTH = ("best:expr", "best:au")
EXPRESSIONS = PROBABILITIES["expr"]


@pytest.fixture
def crops(small_set):
    """The crops of a validation video, some frames missing."""
    from harness.data.registry import open_dataset

    dataset = open_dataset(small_set)
    for name in dataset.sequence_names("expr", "validation"):
        frames = dataset.sequences[name].frames
        if len(frames) > 4 and frames[-1] - frames[0] >= len(frames):
            return small_set / "cropped_aligned" / name
    raise AssertionError("no validation video misses a crop")


def test_crops_give_the_predictions_of_the_runs(readers, crops, tmp_path, capsys):
    """Two runs in one pass: each its own kept predictions before the filter, and as they were scored after it."""
    assert predict(readers, crops, tmp_path / "out", runs=BOTH) == 0
    written = rows(tmp_path / "out")
    found = np.array([row["found"] == "1" for row in written])
    for run in runs_of(tmp_path / "out"):
        columns = PROBABILITIES[run["task"]]
        frames, outputs = kept(readers, run["name"], crops.name)
        assert [int(row["frame"]) for row in written] == list(range(1, frames[-1] + 1))
        assert np.flatnonzero(found).tolist() == (frames - 1).tolist() and not found.all()
        raw = numbers(tmp_path / "out", *(f"{name}_raw" for name in columns))
        assert raw[found] == pytest.approx(outputs, abs=1e-5) and np.isnan(raw[~found]).all()
        smoothed = smooth(fill_gaps(frames, outputs, frames[-1]), run["kernel"], run["radius"])
        assert numbers(tmp_path / "out", *columns) == pytest.approx(smoothed, abs=1e-5)
    said = capsys.readouterr()
    assert f"{len(written)} frames, 1 face, found in {found.sum()} frames" in said.out
    assert "frames per second\n" in said.out, "frames without a crop were not read before"
    assert "taken as face crops; use --detect to detect faces in them" in said.err


def test_runs_on_one_backbone_share_its_pass(readers):
    forwards = open_runs(BOTH, LoadOptions(Store(readers)))
    assert len(forwards) == 1 and [reader.task.name for reader in forwards[0].readers] == ["expr", "au"]
    assert len(open_runs(("best:expr", "best:expr"), LoadOptions(Store(readers)))[0].readers) == 1


def test_missing_empty_leaves_gaps_empty(readers, crops, tmp_path):
    predict(readers, crops, tmp_path / "filled")
    predict(readers, crops, tmp_path / "empty", "--missing", "empty")
    filled, empty = (numbers(tmp_path / name, "found", *EXPRESSIONS) for name in ("filled", "empty"))
    lost = filled[:, 0] == 0
    assert lost.any() and not np.isnan(filled).any()
    assert np.isnan(empty[lost, 1:]).all() and np.array_equal(empty[~lost], filled[~lost])
    assert all(row["expression"] == "" for row, one in zip(rows(tmp_path / "empty"), lost) if one)


def test_filter_options_override_the_run(readers, crops, tmp_path, capsys):
    assert predict(readers, crops, tmp_path / "out", "--kernel", "median", "--radius", 4) == 0
    frames, outputs = kept(readers, runs_of(tmp_path / "out")[0]["name"], crops.name)
    smoothed = smooth(fill_gaps(frames, outputs, frames[-1]), "median", 4)
    assert numbers(tmp_path / "out", *EXPRESSIONS) == pytest.approx(smoothed, abs=1e-5)
    assert "median of radius 4" in capsys.readouterr().out


def test_note_has_the_provenance(readers, crops, tmp_path):
    predict(readers, crops, tmp_path / "out")
    note = json.loads((tmp_path / "out" / "predict.json").read_text())
    assert note["input"] == str(crops) and note["kind"] == "crops"
    (run,) = note["runs"]
    record = json.loads((readers / "artifacts" / "jobs" / run["name"] / "record.json").read_text())
    assert (run["task"], run["kernel"], run["radius"]) == ("expr", record["kernel"], record["radius"])
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "predictions.csv",
        "predictions.parquet",
        "predict.json",
        "summary.png",
    }


def test_nothing_is_overwritten_without_force(readers, crops, tmp_path, capsys):
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    assert predict(readers, crops, out) == 2
    assert "is not empty" in capsys.readouterr().err and [path.name for path in out.iterdir()] == ["mine.txt"]
    assert predict(readers, crops, out, "--force") == 0
    assert "mine.txt" not in {path.name for path in out.iterdir()} and (out / "predictions.csv").is_file()
    assert {path.name for path in tmp_path.iterdir()} == {"out"}


def test_input_is_never_overwritten(readers, crops, tmp_path, capsys):
    mine = shutil.copytree(crops, tmp_path / "out" / "crops")
    assert predict(readers, mine, tmp_path / "out", "--force") == 2
    assert "which is read" in capsys.readouterr().err and len(list(mine.iterdir())) == len(list(crops.iterdir()))


def altered(store, folder, change):
    """A copy of the store in which every head is changed."""
    copy = shutil.copytree(store, folder / "store")
    for path in (copy / "artifacts" / "jobs").glob("*/head.safetensors"):
        change(path)
    return copy


def test_missing_or_modified_model_is_rejected(readers, crops, tmp_path, capsys):
    gone = altered(readers, tmp_path / "gone", lambda path: path.unlink())
    assert predict(gone, crops, tmp_path / "out") == 2
    said = capsys.readouterr().err
    assert "head.safetensors is missing" in said and "--force" in said

    def flip(path):
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)

    changed = altered(readers, tmp_path / "changed", flip)
    assert predict(changed, crops, tmp_path / "out") == 2
    assert "head.safetensors was modified" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "which, said", [("best:nothing", "unknown task"), ("zzzzzz", "unknown run"), ("no/such/folder", "unknown run")]
)
def test_unknown_run_is_rejected(readers, crops, tmp_path, capsys, which, said):
    assert predict(readers, crops, tmp_path / "out", runs=(which,)) == 2
    assert said in capsys.readouterr().err


def test_baseline_from_labels_is_rejected(readers, crops, tmp_path, capsys):
    jobs = (readers / "artifacts" / "jobs").glob("*/record.json")
    noise = next(one for one in (json.loads(path.read_text()) for path in jobs) if one["features"] == "noise")
    assert predict(readers, crops, tmp_path / "out", runs=(noise["group_id"],)) == 2
    assert "reads no images; choose another run" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments, said",
    [
        (("--kernel", "medain"), "did you mean median"),
        (("--radius", "999"), "0 to 250"),
        (("--margin", "9"), "from 0.5 to 4"),
        (("--detector", "har"), "unknown detector"),
        (("--kernel", "none", "--radius", "3"), "leave one of them out"),
        (("--crops", "--margin", "1.2"), "leave out --margin"),
        (("--crops", "--smallest", "40"), "without detection"),
        (("--live", "--kernel", "median"), "needs future frames, which a live video does not have"),
        (("--live",), "no frame rate"),
        (("--engine", "torhc"), "unknown engine"),
        (("--seconds", "1"), "no time"),
    ],
)
def test_invalid_options_are_rejected(readers, crops, tmp_path, capsys, arguments, said):
    assert (
        predict(readers, crops, tmp_path / "out", *(() if "--detector" not in arguments else ("--detect",)), *arguments)
        == 2
    )
    assert said in capsys.readouterr().err
    assert not list(tmp_path.glob(".out*")) and not (tmp_path / "out").exists()


def test_interrupted_prediction_resumes_with_the_same_result(readers, tmp_path, capsys):
    source, out = film(tmp_path / "long.mp4", 1300), tmp_path / "out"
    killed = subprocess.Popen(
        small_run.command("predict", source, "--run", "best:expr", "--store", readers, "--crops", "--out", out),
        stdout=subprocess.DEVNULL,
    )
    partial = tmp_path / ".out.partial"
    while not (partial / "000000.npz").is_file():
        assert killed.poll() is None, "it ended before it could be killed"
        time.sleep(0.005)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert not out.exists()
    before = len(list(partial.glob("*.npz")))
    assert predict(readers, source, out, "--crops") == 0
    assert f"{256 * before:,} frames from an earlier call" in capsys.readouterr().out and not partial.exists()
    assert predict(readers, source, tmp_path / "whole", "--crops") == 0
    assert (out / "predictions.csv").read_bytes() == (tmp_path / "whole" / "predictions.csv").read_bytes()


def test_chunks_survive_if_out_is_inside_the_crops(readers, crops, tmp_path, capsys, monkeypatch):
    """It fails when it writes, and is not read again: what lies beside the crops is no part of the input."""
    source = tmp_path / "crops"
    shutil.copytree(crops, source)
    with monkeypatch.context() as broken:
        broken.setattr(
            "harness.inference.summary_figure.save_png", lambda *arguments: (_ for _ in ()).throw(OSError("full"))
        )
        assert predict(readers, source, source / "out") != 0
    assert "full" in capsys.readouterr().err and not (source / "out").exists()
    assert predict(readers, source, source / "out") == 0
    assert "frames per second" not in capsys.readouterr().out and rows(source / "out")


def test_folder_created_meanwhile_is_kept(readers, crops, tmp_path, capsys):
    out, codes, said = tmp_path / "out", [], ""
    with entry_lock(partial_folder(out) / "pieces"):
        other = threading.Thread(target=lambda: codes.append(predict(readers, crops, out)))
        other.start()
        while "waiting for another process" not in said:
            assert other.is_alive()
            said += capsys.readouterr().err
            time.sleep(0.02)
        out.mkdir()
        (out / "mine.txt").write_text("mine")
        shutil.rmtree(partial_folder(out))
    other.join()
    assert codes == [2] and [path.name for path in out.iterdir()] == ["mine.txt"]
    assert "is not empty" in capsys.readouterr().err
    assert not partial_folder(out).exists()


def test_other_command_does_not_resume(readers, crops, tmp_path):
    from harness.inference.chunks import ChunkStore

    ChunkStore(tmp_path / "out", {"of": "another work"})
    assert predict(readers, crops, tmp_path / "out") == 0
    assert rows(tmp_path / "out") and not (tmp_path / ".out.partial").exists()


def test_selected_filter_is_the_default():
    from harness.inference.forward import LoadedRun
    from harness.inference.smoothing_options import smoothing_of
    from harness.metrics.tasks import get_task
    from harness.utils.errors import InputError

    own, causal = (
        SmoothingParams("median", 7, "nearest", (0.4,) * 12),
        SmoothingParams("trailing_mean", 3, "held", (0.3,) * 12),
    )
    reader = LoadedRun("run", "", get_task("au"), own, "")
    assert smoothing_of(reader, False) == own
    assert smoothing_of(reader, True) == SmoothingParams("exponential", 7, "held", own.thresholds)
    assert smoothing_of(LoadedRun("run", "", get_task("au"), own, "", causal), True) == causal
    assert smoothing_of(reader, False, is_video=False) == SmoothingParams("none", 0, "nearest", own.thresholds)
    assert smoothing_of(reader, False, "none") == SmoothingParams("none", 0, "nearest", own.thresholds)
    for kernel, radius in (("mean", None), (None, 3)):
        with pytest.raises(InputError, match="separate images are not smoothed; leave out"):
            smoothing_of(reader, False, kernel, radius, is_video=False)
    with pytest.raises(InputError, match="needs a --radius"):
        smoothing_of(LoadedRun("run", "", get_task("au"), SmoothingParams("none", 0, "linear"), ""), False, "mean")
