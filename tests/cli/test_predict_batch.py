"""`framelight predict` on several inputs and on folders of videos."""

import csv
import json
import os
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from pyarrow import parquet

from harness.inference import batch, predict_session
from harness.inference.api import predict as predict_function
from harness.inference.predict_options import PredictOptions, check_options
from harness.utils.errors import InputError
from harness.utils.store import Store
from tests.helpers.predict_command import rows
from tests.helpers.video_files import clap, clapper, film
from tests.video.test_source import photo


def summary(out):
    with (out / "summary.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def names(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != ".predict.json.lock")


def times(out):
    return {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file() and path.parent != out}


def test_several_videos_have_a_folder_each(run, videos, tmp_path, monkeypatch):
    opened = []
    opener = predict_session.open_runs
    monkeypatch.setattr(predict_session, "open_runs", lambda *arguments: opened.append(1) or opener(*arguments))
    code, printed, said = run(videos / "a.mp4", videos / "b.mp4")
    assert code == 0 and len(opened) == 1, "models are loaded once"
    assert names(tmp_path / "out") == ["a", "b", "predict.json", "summary.csv"]
    assert len(rows(tmp_path / "out" / "a")) == 4 and len(rows(tmp_path / "out" / "b")) == 6
    assert [(row["folder"], row["frames"], row["faces"], row["status"]) for row in summary(tmp_path / "out")] == [
        ("a", "4", "1", "predicted"),
        ("b", "6", "1", "predicted"),
    ]
    assert "2 of 2 inputs predicted" in printed and "2 of 2: " in said


def test_bad_video_does_not_end_the_others(run, videos, tmp_path):
    (videos / "d.mp4").symlink_to("nowhere.mp4")
    (videos / "e.mp4").touch()
    (videos / "f.mp4").symlink_to("f.mp4")
    (videos / "readme.txt").touch()
    (videos / "b.mp4").rename(videos / "z.mp4")
    code, printed, said = run(videos)
    assert code == 1 and "2 of 6 inputs predicted" in printed
    table = {row["folder"]: row for row in summary(tmp_path / "out")}
    assert [name for name, row in table.items() if row["status"] == "failed"] == ["c", "d", "e", "f"]
    assert "cannot be read as a video" in table["c"]["error"] and "broken link to nowhere.mp4" in table["d"]["error"]
    listed = [line for line in said.splitlines() if " of 6: failed: " in line]
    assert len(listed) == 4 and "c.mp4" in listed[0] and "e.mp4" in listed[2]
    assert "2 of 6 inputs predicted, 4 failed" in printed and said.count("failed: ") == said.count("c.mp4") + 3 == 4
    assert "1 .txt" in said and names(tmp_path / "out") == ["a", "predict.json", "summary.csv", "z"]


def test_same_command_predicts_only_what_is_missing(run, videos, tmp_path):
    (videos / "c.mp4").unlink()
    assert run(videos)[0] == 0
    before = times(tmp_path / "out" / "a")
    shutil.rmtree(tmp_path / "out" / "b")
    (tmp_path / "out" / "summary.csv").unlink()
    film(videos / "a.mov", 5)
    code, printed, said = run(videos)
    assert code == 0 and times(tmp_path / "out" / "a") == before and "--force" not in said
    assert {row["folder"]: row["status"] for row in summary(tmp_path / "out")} == {
        "a": "finished before",
        "a.mov": "predicted",
        "b": "predicted",
    }
    assert "finished before" in printed


def test_rows_of_other_inputs_stay_in_the_table(run, videos, tmp_path):
    def table():
        return [(row["folder"], row["frames"], row["status"]) for row in summary(tmp_path / "out")]

    assert run(videos / "b.mp4", videos / "c.mp4")[0] == 1
    assert table() == [("b", "6", "predicted"), ("c", "0", "failed")]
    assert run(videos / "a.mp4", film(videos / "c.mp4", 3))[0] == 0
    assert table() == [("b", "6", "predicted"), ("c", "3", "predicted"), ("a", "4", "predicted")]


def test_concurrent_commands_choose_different_names(tmp_path):
    out, count = tmp_path / "out", 8
    options = PredictOptions("", ("r",), out, Store(tmp_path / "store"))
    barrier = threading.Barrier(count)

    def choose(number):
        path = str(tmp_path / str(number) / "talk.mp4")
        barrier.wait()
        check_options(options, inputs=[path, path])
        names = batch._choose_names(options, [path])
        batch._write_summary(out, [batch.InputSummary(path, names[path], number)])
        return path, names[path]

    with ThreadPoolExecutor(count) as threads:
        chosen = dict(threads.map(choose, range(count)))
    assert len(set(chosen.values())) == count
    assert json.loads((out / "predict.json").read_text())["inputs"] == chosen
    assert {row["input"]: row["folder"] for row in summary(out)} == chosen


def test_killed_command_is_completed(run, videos, tmp_path, monkeypatch):
    (videos / "c.mp4").unlink()

    def killed(options, models):
        if options.out.name == "b":
            raise KeyboardInterrupt
        return predict(options, models)

    predict = batch.predict
    monkeypatch.setattr(batch, "predict", killed)
    assert run(videos)[0] == 130
    assert names(tmp_path / "out") == ["a", "predict.json", "summary.csv"]
    monkeypatch.undo()
    code, _, _ = run(videos)
    assert code == 0 and [row["status"] for row in summary(tmp_path / "out")] == ["finished before", "predicted"]


def test_folder_of_images_and_videos_is_one_input(run, tmp_path):
    folder = tmp_path / "both"
    photo(folder / "1.png")
    photo(folder / "2.png")
    film(folder / "talk.mp4", 3)
    code, _, said = run(folder, out=tmp_path / "images")
    assert code == 0 and len(rows(tmp_path / "images")) == 2
    assert "not read: 1 video next to the images (talk.mp4); give videos as inputs" in said
    assert run(folder, folder / "talk.mp4")[0] == 0
    table = {row["folder"]: row for row in summary(tmp_path / "out")}
    assert {name: row["frames"] for name, row in table.items()} == {"both": "2", "talk": "3"}
    assert table["both"]["seconds"] == "" and float(table["talk"]["seconds"]) == pytest.approx(0.08)


def test_pattern_is_expanded(run, videos, tmp_path):
    code, _, _ = run(videos / "[ab].mp4")
    assert code == 0 and names(tmp_path / "out") == ["a", "b", "predict.json", "summary.csv"]
    code, _, said = run(videos / "*.mkv", out=tmp_path / "other")
    assert code == 2 and "no such file or folder" in said and not (tmp_path / "other").exists()
    code, _, said = run(videos / "*.mkv", videos / "a.mp4", out=tmp_path / "other")
    assert code == 1 and "*.mkv" in said and (tmp_path / "other" / "a").is_dir()


def test_other_content_is_kept_without_force(run, videos, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    code, _, said = run(videos / "a.mp4", videos / "b.mp4")
    assert code == 2 and "is not empty" in said and names(out) == ["mine.txt"]


@pytest.mark.parametrize(
    "words, said",
    [
        (("--kernel", "medain"), "did you mean median"),
        (("--live",), "plays one video"),
        (("--run", "zzz"), "unknown run"),
        (("camera:0",), "only input"),
    ],
)
def test_invalid_options_end_the_command_at_once(run, videos, tmp_path, words, said):
    code, _, message = run(videos / "a.mp4", videos / "b.mp4", *words)
    assert code == 2 and said in message and len(message.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_defect_in_one_input_does_not_end_the_others(run, videos, tmp_path, monkeypatch):
    def broken(options, models):
        if options.out.name == "a":
            raise RuntimeError("odd")
        return predict(options, models)

    predict = batch.predict
    monkeypatch.setattr(batch, "predict", broken)
    code, _, said = run(videos / "a.mp4", videos / "b.mp4")
    assert code == 1 and "RuntimeError: odd; this is a defect" in said
    assert names(tmp_path / "out") == ["b", "predict.json", "summary.csv"]


def test_relative_and_absolute_names_are_one_input(run, videos, tmp_path, monkeypatch):
    assert run(videos / "a.mp4", videos / "b.mp4")[0] == 0
    monkeypatch.chdir(videos)
    note = json.loads((tmp_path / "out" / "predict.json").read_text())
    assert note["inputs"] == {str(videos / name): name[0] for name in ("a.mp4", "b.mp4")}
    run("a.mp4", "b.mp4", "--force")
    assert names(tmp_path / "out") == ["a", "b", "predict.json", "summary.csv"]


def test_function_predicts_as_the_command(run, readers, videos, tmp_path):
    result = predict_function(
        [videos / "a.mp4", videos / "c.mp4"], "best:expr", tmp_path / "f", store=readers, crops=True
    )
    assert [row.folder for row in result.failed] == ["c"] and result.out == tmp_path / "f"
    assert list(result.table["status"]) == ["predicted", "failed"] and result.files[1] == tmp_path / "f" / "a"
    assert run(videos / "a.mp4", videos / "c.mp4")[0] == 1
    for name in ("predictions.csv", "predictions.parquet"):
        assert (tmp_path / "f" / "a" / name).read_bytes() == (tmp_path / "out" / "a" / name).read_bytes()
    with pytest.raises(InputError, match="at least one input"):
        predict_function([], "best:expr", tmp_path / "g", store=readers)


def test_names_that_a_spreadsheet_evaluates_are_escaped(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("=1+1.mp4", "b.mp4"):
        film(tmp_path / name, 2)
    assert run("=1+1.mp4", "b.mp4")[0] == 0
    assert [row["input"] for row in summary(tmp_path / "out")] == ["'=1+1.mp4", "b.mp4"]
    assert os.listdir(tmp_path / "out" / "=1+1")


def test_rendered_video_has_the_audio_of_its_input(run, tmp_path):
    source = clapper(tmp_path / "a.mov", "pcm_s16le")
    assert run(source, "--render", "--seconds", 1.4)[0] == 0
    white, beep, codec, end = clap(tmp_path / "out" / "annotated.mp4")
    assert codec == "aac" and beep == pytest.approx(1.0, abs=0.03) and end == pytest.approx(1.4, abs=0.03)
    note = json.loads((tmp_path / "out" / "predict.json").read_text())
    assert not any("audio" in line for line in note["notes"])


def test_training_on_synthetic_faces_is_in_note_and_metadata(run, tmp_path):
    code, _, said = run(film(tmp_path / "a.mp4", 2))
    assert code == 0 and said.count("learned from synthetic faces") == 1
    note = json.loads((tmp_path / "out" / "predict.json").read_text())
    assert note["runs"][0]["synthetic"] == ["head"] and any("synthetic" in line for line in note["notes"])
    metadata = parquet.read_schema(tmp_path / "out" / "predictions.parquet").metadata
    assert json.loads(metadata[b"framelight"])["runs"][0]["synthetic"] == ["head"]
