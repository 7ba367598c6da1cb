"""What `framelight predict` replaces in an output folder of several inputs, and what it keeps."""

import json

import pytest

from tests.cli.test_predict_batch import names, times
from tests.helpers.video_files import film


@pytest.fixture
def foreign(run, videos, tmp_path):
    """An output folder of two videos with the work of somebody else in it."""
    out = tmp_path / "out"
    assert run(videos / "a.mp4", videos / "b.mp4")[0] == 0
    for name in ("thesis", "talk"):
        (out / name).mkdir()
        (out / name / "mine.txt").touch()
    (out / "mine.txt").touch()
    return out


def test_force_replaces_only_the_folders_of_its_inputs(run, foreign, videos):
    before = times(foreign)
    code, _, _ = run(videos / "a.mp4", film(videos / "talk.mp4", 3), "--force")
    after = times(foreign)
    assert code == 0 and after.items() >= {path: at for path, at in before.items() if path.parent.name != "a"}.items()
    assert after[foreign / "a" / "predictions.csv"] > before[foreign / "a" / "predictions.csv"]
    assert names(foreign) == ["a", "b", "mine.txt", "predict.json", "summary.csv", "talk", "talk-2", "thesis"]


def test_force_removes_nothing_if_every_input_fails(run, foreign, videos):
    for name in ("a.mp4", "b.mp4"):
        (videos / name).write_text("none")
    before = times(foreign)
    code, _, _ = run(videos / "a.mp4", videos / "b.mp4", "--force")
    assert code == 1 and times(foreign) == before and (foreign / "mine.txt").exists()


def test_force_keeps_content_without_a_note(run, videos, tmp_path):
    (tmp_path / "out" / "a").mkdir(parents=True)
    (tmp_path / "out" / "a" / "mine.txt").touch()
    assert run(videos / "a.mp4", videos / "b.mp4", "--force")[0] == 0
    assert names(tmp_path / "out") == ["a", "a-2", "b", "predict.json", "summary.csv"]
    assert names(tmp_path / "out" / "a") == ["mine.txt"]


@pytest.mark.parametrize("name", ["../victim", "{absolute}", "", "predict.json", "b"])
def test_names_of_a_note_do_not_lead_out_of_the_folder(run, videos, tmp_path, name):
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "mine.txt").touch()
    name = name.format(absolute=victim)
    (tmp_path / "out").mkdir()
    inputs = {str(videos / "b.mp4"): "b", str(videos / "a.mp4"): name}
    (tmp_path / "out" / "predict.json").write_text(json.dumps({"format": 1, "inputs": inputs}))
    assert run(videos / "a.mp4", videos / "b.mp4", "--force", "--seconds", 0.05)[0] == 0
    assert names(tmp_path / "out") == ["a", "b", "predict.json", "summary.csv"] and names(victim) == ["mine.txt"]


def test_one_prediction_is_not_mixed_with_several(run, videos, tmp_path):
    assert run(videos / "a.mp4")[0] == 0
    code, _, said = run(videos / "a.mp4", videos / "b.mp4")
    assert code == 2 and "is not empty" in said
    before = times(tmp_path)
    code, _, said = run(videos / "a.mp4", videos / "b.mp4", "--force")
    assert (
        code == 2 and "predict.json, but not from a prediction of several inputs" in said and times(tmp_path) == before
    )
    assert run(videos / "a.mp4", videos / "b.mp4", out=tmp_path / "both")[0] == 0
    code, _, said = run(videos / "a.mp4", out=tmp_path / "both")
    assert code == 2 and "is not empty" in said
