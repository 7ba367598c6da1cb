"""Inputs: patterns, folders of videos and the names of output folders."""

from pathlib import Path

import pytest

from harness.inference.inputs import expand_inputs, is_single, output_names, valid_names
from harness.utils.errors import InputError
from harness.utils.output_dir import check_output_dir


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in ("b.mp4", "a10.MOV", "a9.webm", "notes.txt", ".hidden.mp4", "one/2.jpg", "both/1.png", "both/c.avi"):
        path = tmp_path / "videos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path / "videos"


@pytest.mark.parametrize(
    "texts, inputs, single",
    [
        (["videos/b.mp4"], ["videos/b.mp4"], True),
        (["videos"], ["videos/a9.webm", "videos/a10.MOV", "videos/b.mp4"], False),
        (["videos/both"], ["videos/both"], True),
        (["videos/both", "videos/both/c.avi"], ["videos/both", "videos/both/c.avi"], False),
        (["videos/one"], ["videos/one"], True),
        (["videos/*.mp4"], ["videos/b.mp4"], True),
        (["videos/a*"], ["videos/a9.webm", "videos/a10.MOV"], False),
        (["videos/b.mp4", "./videos/b.mp4"], ["videos/b.mp4"], True),
        (["videos/one", "nothing.mp4"], ["videos/one", "nothing.mp4"], False),
        (["camera:0"], ["camera:0"], True),
        (["videos/*.mkv"], ["videos/*.mkv"], True),
    ],
)
def test_inputs_are_expanded(folder, texts, inputs, single):
    assert expand_inputs(texts)[0] == inputs and is_single(texts, inputs) == single


def test_folder_of_one_video_gets_a_folder_for_it(folder):
    (folder / "alone").mkdir()
    (folder / "alone" / "x.mp4").touch()
    inputs, notes = expand_inputs(["videos/alone"])
    assert inputs == ["videos/alone/x.mp4"] and not notes and not is_single(["videos/alone"], inputs)


def test_other_files_of_a_folder_of_videos_are_named_once(folder):
    (note,) = expand_inputs(["videos"])[1]
    assert "1 .txt" in note and "2 folders" in note and "hidden" not in note


def test_camera_with_other_inputs_is_rejected(folder):
    with pytest.raises(InputError, match="only input"):
        expand_inputs(["videos/b.mp4", "camera:0"])


def test_folder_that_cannot_be_listed_does_not_end_the_others(folder, monkeypatch):
    def denied(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.scandir", denied)
    assert expand_inputs(["videos", "videos/b.mp4"])[0] == ["videos", "videos/b.mp4"]


@pytest.mark.parametrize("bad", ["loop.mp4", "loop/x.mp4", "x" * 300 + ".mp4", "[" + "x" * 300 + "]"])
def test_path_that_cannot_be_looked_at_does_not_end_the_others(folder, bad):
    for name in ("loop.mp4", "loop"):
        (folder.parent / name).symlink_to(name)
    texts = ["videos/b.mp4", bad]
    assert expand_inputs(texts)[0] == texts and len(output_names(texts)) == 2
    assert is_single([bad], [bad])
    check_output_dir(Path("out"), False, *map(Path, texts))


def test_file_name_with_wildcards_is_a_file(folder):
    (folder / "take[1].mp4").touch()
    assert expand_inputs(["videos/take[1].mp4"])[0] == ["videos/take[1].mp4"]


@pytest.mark.parametrize(
    "inputs, names",
    [
        (["x/a.mp4", "x/b.mp4"], ["a", "b"]),
        (["x/a.mp4", "x/a.mov", "x/b.mp4"], ["a.mp4", "a.mov", "b"]),
        (["x/a.mp4", "y/a.mp4"], ["x_a.mp4", "y_a.mp4"]),
        (["x/A.mp4", "x/a.mov"], ["A.mp4", "a.mov"]),
        (["x/caf\u00e9.mp4", "x/cafe\u0301.mov"], ["caf\u00e9.mp4", "cafe\u0301.mov"]),
        (["p/x/a.mp4", "q/x/a.mp4"], ["x_a.mp4", "x_a.mp4-2"]),
        (["x/predict.json.mp4"], ["predict.json.mp4"]),
        (["x/summary.csv"], ["summary"]),
        (["x/.a.mp4"], ["a"]),
    ],
)
def test_output_folders_have_different_names(inputs, names):
    assert list(output_names(inputs).values()) == names


def test_names_of_an_earlier_call_are_used_again():
    first = output_names(["x/a.mp4"])
    assert output_names(["x/a.mp4", "x/a.mov"], first, first.values()) == {"x/a.mp4": "a", "x/a.mov": "a.mov"}
    assert output_names(["y/a.mp4"], {}, ["a"]) == {"y/a.mp4": "a-2"}


@pytest.mark.parametrize(
    "name",
    ["../victim", "/victim", "", ".", "..", ".a", "a/b", "a\\b", "Summary.CSV", "predict.json", None, 3, ["a"], "a\0"],
)
def test_names_of_a_note_that_lead_elsewhere_are_not_used(name):
    assert valid_names({"/x/a.mp4": name, "/x/b.mp4": "b", "/x/c.mp4": "B"}) == {"/x/b.mp4": "b"}


@pytest.mark.parametrize("name", ["a\\b", "C:b", "a\nb", "\u0645\u200c\u062e", "..."])
def test_chosen_names_are_valid_in_the_next_call(name):
    names = output_names([f"x/{name}.mp4"])
    assert valid_names(names) == names


def test_long_names_are_shortened_to_what_file_systems_take():
    (one, other) = output_names([f"x/{'é' * 120}1.mp4", f"x/{'é' * 120}2.mp4"]).values()
    assert len(one.encode()) <= 200 and len(other.encode()) <= 203 and one != other
