"""`framelight submit` on real runs: every task, both formats, and errors."""

import json
import os
import shutil
import signal
import subprocess
import sys

import pytest

from harness.cli import main
from tests.helpers import small_run
from tests.helpers.submission_recipes import PUBLISHED
from tests.inference.submission.test_frame_counts import film

TASKS = ("expr", "va", "au", "mtl")
METRICS = {"expr": "P_EXPR", "va": "P_VA", "au": "P_AU", "mtl": "P_MTL"}


def kept(store, **wanted):
    found = [json.loads(path.read_text()) for path in sorted((store / "artifacts/jobs").glob("*/record.json"))]
    return [record for record in found if all(record[name] == value for name, value in wanted.items())]


def names_in(data):
    return (data / "Expression_Classification_Challenge_test_set_release.txt").read_text().split()


@pytest.mark.parametrize("task", TASKS)
def test_labeled_split_scores_like_the_record(submit, store, tmp_path, task):
    code, printed, _ = submit(f"best:{task}", "--split", "validation", "--seed", 1)
    note = json.loads((tmp_path / "out" / "submission.json").read_text())
    record = kept(store, job_id=note["job_id"])[0]
    assert code == 0 and note["seed"] == 1 and note["task"] == task
    trip = note["round_trip"]
    assert trip["files"] == trip["memory"] == pytest.approx(record["metrics"][METRICS[task]], abs=1e-6)
    assert f"{METRICS[task]} {trip['files']:.6f} from the files" in printed
    assert f"{record['metrics'][METRICS[task]]:.6f} in the record of the run" in printed


@pytest.mark.parametrize("task", TASKS)
def test_submission_for_test_lists_passes_the_check(submit, small_set, tmp_path, capsys, task):
    code, printed, _ = submit(f"best:{task}")
    assert code == 0 and "the written files equal the predictions in memory" in printed
    assert main(["data", "check", str(tmp_path / "out"), "--against", str(small_set)]) == 0
    assert "no problems found" in capsys.readouterr().out
    found = {path.name for path in (tmp_path / "out").iterdir()}
    files = {"MTL_predictions.txt"} if task == "mtl" else {f"{name}.txt" for name in names_in(small_set)}
    assert found == files | {"submission.json"}


def test_note_has_the_provenance(submit, store, tmp_path):
    submit("best:au", "--split", "validation")
    note = json.loads((tmp_path / "out" / "submission.json").read_text())
    record = kept(store, job_id=note["job_id"])[0]
    for name in ("backbone", "weights_hash", "features", "head", "kernel", "radius", "thresholds", "protocol"):
        assert note[name] == record[name]
    assert note["run_id"] == record["group_id"] and note["run_data_digest"] == record["data_digest"]
    assert note["optimistic"] is False and note["frame_counts"] == {"annotation": note["files"]}
    assert sum(note["lines"].values()) == note["rows"]


def test_run_of_the_published_protocol_is_marked_optimistic(submit, store, tmp_path):
    run = kept(store, task="expr", protocol="published", kind="run")[0]["group_id"]
    code, printed, _ = submit(run)
    assert code == 0 and "published, optimistic" in printed
    assert json.loads((tmp_path / "out" / "submission.json").read_text())["optimistic"] is True


def test_line_count_is_frame_count_plus_one(submit, data, tmp_path):
    first, second = names_in(data)
    film(data / "videos" / f"{first}.mp4", 40)
    frames = tmp_path / "frames.csv"
    frames.write_text(f"video,frames\n{second},44\n")
    code, printed, _ = submit("best:va", "--frames", frames, data=data)
    assert (
        code == 0 and "1 video from the frames file, 1 video from the video file (number of frames plus one)" in printed
    )
    lines = {name: (tmp_path / "out" / f"{name}.txt").read_text().splitlines() for name in (first, second)}
    assert {name: len(found) - 1 for name, found in lines.items()} == {first: 41, second: 44}
    assert lines[first][0] == "valence,arousal" and lines[first][-1] == lines[first][-2]


def test_list_of_frames_gives_one_file_in_order(submit, data, tmp_path, capsys):
    first, second = names_in(data)
    images = [f"{second}/{frame:05d}.jpg" for frame in range(1, 41)] + [f"{first}/00003.jpg", f"{first}/00002.jpg"]
    listed = data / "test_set" / "CVPR_5th_ABAW_EXPR_test_set_sample.txt"
    listed.parent.mkdir()
    header = "image_location,Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other"
    listed.write_text("\n".join([header, *(f"{image}," for image in images)]) + "\n")
    code, printed, _ = submit("best:expr", "--format", "frames", data=data)
    text = (tmp_path / "out" / "predictions.txt").read_text().splitlines()
    assert code == 0 and text[0] == header and f"rows: the images in {listed.name}, in that order" in printed
    assert [line.split(",")[0] for line in text[1:]] == images
    assert main(["data", "check", str(tmp_path / "out"), "--against", str(listed)]) == 0
    (tmp_path / "out" / "predictions.txt").write_text("\n".join(text[:-1]) + "\n")
    assert main(["data", "check", str(tmp_path / "out"), "--against", str(listed)]) == 2
    assert f"1 images are missing, first {first}/00002.jpg" in capsys.readouterr().out


def test_new_images_are_extracted(submit, store, data, tmp_path):
    copied = shutil.copytree(store, tmp_path / "store")
    first, second = names_in(data)
    shutil.rmtree(data / "cropped_aligned" / first)
    frames = tmp_path / "frames.csv"
    frames.write_text(f"{first},12\n")
    code, printed, said = submit("best:expr", "--frames", frames, data=data, store=copied)
    assert code == 0 and "extracting the features" in said
    assert "was trained and scored on" in said and f"annotations of {data} differ" in said
    assert f"videos without crops, which get the mean output of all crops: {first}" in printed
    lines = (tmp_path / "out" / f"{first}.txt").read_text().splitlines()[1:]
    assert len(lines) == 12 and len(set(lines)) == 1
    code, printed, _ = submit("best:expr", "--split", "validation", data=data, store=copied, out="again")
    assert code == 0 and "another split or data" in printed


def test_crops_in_several_folders_are_the_same_data(submit, data, tmp_path):
    for number, video in enumerate(sorted((data / "cropped_aligned").iterdir())):
        folder = data / ("cropped_aligned_new_50_vids" if number % 2 else "cropped_aligned/cropped_aligned")
        folder.mkdir(exist_ok=True)
        video.rename(folder / video.name)
    unread = data / "crops_112" / "video99"
    unread.mkdir(parents=True)
    (unread / "00001.jpg").write_bytes(b"")
    code, printed, said = submit("best:expr", data=data, out="several")
    assert code == 0 and "extracting" not in said
    assert "crops_112: 1 folder of crops not read" in said and "1 video with crops only here, such as 'video99'" in said
    submit("best:expr", out="one")
    first, second = (sorted((tmp_path / out).glob("*.txt")) for out in ("one", "several"))
    assert first and [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_video_whose_name_is_not_utf8(submit, store, data, tmp_path):
    copied, name = shutil.copytree(store, tmp_path / "store"), os.fsdecode(b"vid\xe9o")
    annotation = sorted((data / "Third ABAW Annotations/VA_Estimation_Challenge/Validation_Set").iterdir())[0]
    (data / "cropped_aligned" / annotation.stem).rename(data / "cropped_aligned" / name)
    annotation.rename(annotation.with_stem(name))
    code, _, said = submit("best:va", "--split", "validation", data=data, store=copied)
    assert code == 0 and (tmp_path / "out" / f"{name}.txt").is_file(), said
    assert main(["data", "check", str(tmp_path / "out"), "--against", str(data)]) == 0
    options = ("--split", "validation", "--format", "frames")
    code, _, said = submit("best:va", *options, data=data, store=copied, out="frames")
    assert code == 2 and "the name of video 'vid\\xe9o' is not in UTF-8" in said and "rename its folder" in said


def test_same_command_writes_the_same_bytes(submit, tmp_path):
    assert "differ" not in submit("best:au", out="one")[2]
    submit("best:au", out="two")
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


@pytest.mark.parametrize("form", ["challenge", "frames"])
@pytest.mark.parametrize("recipe", ["four", "one", "folded"])
def test_round_trip_of_every_protocol(submit, store, tmp_path, recipe, form):
    """Constants and random features too; by folds, refitted and with frames without a crop scored."""
    found = [record for record in kept(store, recipe=recipe) if "uses_labels" not in record["flags"]]
    assert {record["kind"] for record in found} == {"run", "baseline"}
    for record in found:
        out = record["job_id"]
        code, _, said = submit(out, "--split", "validation", "--format", form, out=out)
        assert code == 0, said
        trip = json.loads((tmp_path / out / "submission.json").read_text())["round_trip"]
        assert trip["files"] == trip["memory"] and trip["moved"] == 0 and trip["frames"] == record["scored"]
        assert trip["record"] == record["metrics"][record["metric"]] == pytest.approx(trip["files"], abs=1e-6)


def test_submission_without_annotations(submit, data, tmp_path, capsys):
    shutil.rmtree(data / "Third ABAW Annotations")
    assert main(["data", "check", str(data)]) == 0
    printed = capsys.readouterr().out
    assert "annotations  none, so training" in printed and "no problems found" in printed
    code, printed, _ = submit("best:expr", data=data)
    assert code == 0 and sorted(names_in(data)) == sorted(path.stem for path in (tmp_path / "out").glob("*.txt"))
    assert main(["data", "check", str(tmp_path / "out"), "--against", str(data)]) == 0
    code, _, said = submit("best:expr", "--split", "validation", data=data, out="other")
    assert code == 2 and "no annotations of task 'expr'; available: none" in said


def test_killed_command_leaves_no_folder(submit, store, small_set, tmp_path):
    out = tmp_path / "out"
    stopped = (
        "import os, signal; from harness.inference.submission import files; from harness.cli import main\n"
        "files.read = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"main(['submit', 'best:expr', '--data', {str(small_set)!r}, '--store', {str(store)!r}, "
        f"'--out', {str(out)!r}])"
    )
    assert subprocess.run([sys.executable, "-c", stopped]).returncode == -signal.SIGKILL
    (aside,) = tmp_path.iterdir()
    assert aside.name.startswith(".out.") and list(aside.glob("*.txt")), "it was killed as it wrote"
    os.utime(aside, (0, 0))
    assert submit("best:expr")[0] == 0
    assert list(tmp_path.iterdir()) == [out]


def test_best_is_resolved_on_the_given_data(store, small_set, data, submit, tmp_path):
    copied = shutil.copytree(store, tmp_path / "copied")
    labels = next((data / "Third ABAW Annotations/EXPR_Classification_Challenge/Train_Set").iterdir())
    labels.write_text(labels.read_text().rstrip("\n") + "\n0\n")
    run = ["run", small_run.write_recipe(tmp_path, PUBLISHED), "--data", data, "--store", copied, "--jobs", 1]
    assert main([str(word) for word in run]) == 0
    codes, boards = [], {}
    for name, folder in (("first", small_set), ("other", data)):
        codes.append(submit("best:expr", data=folder, store=copied, out=name)[0])
        boards[name] = json.loads((tmp_path / name / "submission.json").read_text())["protocol"]
    assert codes == [0, 0] and boards == {"first": "held-out", "other": "published"}
