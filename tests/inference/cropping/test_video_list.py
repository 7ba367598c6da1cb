"""Which videos a command crops, and how their frames are numbered."""

import numpy as np
import pytest
from PIL import Image

from harness.inference.cropping.video_list import list_videos
from harness.utils.errors import InputError
from harness.video.source import open_frames
from tests.helpers.video_files import film


def images(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        Image.fromarray(np.full((32, 48, 3), 20 * number, np.uint8)).save(folder / name)
    return folder


def names(*paths):
    return [video.text for video in list_videos([str(path) for path in paths])[0]]


def test_folder_of_videos(tmp_path):
    for name in ("b10.mp4", "b9.mkv"):
        film(tmp_path / name, 3)
    (tmp_path / "notes.txt").write_text("x")
    videos, notes = list_videos([str(tmp_path)])
    assert [video.text for video in videos] == [str(tmp_path / "b9.mkv"), str(tmp_path / "b10.mp4")]
    assert "notes.txt" in notes[0] and videos[0].size == (tmp_path / "b9.mkv").stat().st_size
    assert names(tmp_path / "b9.mkv", tmp_path) == [str(tmp_path / "b9.mkv"), str(tmp_path / "b10.mp4")]
    assert names(tmp_path / "*.mp4") == [str(tmp_path / "b10.mp4")]


def test_folder_of_frames_is_one_video_and_a_folder_of_them_several(tmp_path):
    frames = images(tmp_path / "all" / "talk", "1.png", "2.png")
    images(tmp_path / "all" / "walk", "1.png")
    (tmp_path / "all" / "empty").mkdir()
    assert names(frames) == [str(frames)]
    assert names(tmp_path / "all") == [str(frames), str(tmp_path / "all" / "walk")]
    film(frames / "talk.mp4", 2)
    assert "1 videos next to them are not read" in list_videos([str(frames)])[1][0]


def test_animated_images_are_videos(tmp_path):
    film(tmp_path / "a" / "b2.mp4", 2)
    pictures = [Image.new("RGB", (48, 32), color) for color in ("red", "blue")]
    pictures[0].save(tmp_path / "a" / "b1.gif", save_all=True, append_images=pictures[1:])
    assert names(tmp_path / "a") == [str(tmp_path / "a" / name) for name in ("b1.gif", "b2.mp4")]
    assert names(tmp_path / "a" / "b1.gif") == [str(tmp_path / "a" / "b1.gif")]
    pictures[0].save(tmp_path / "a" / "still.gif")
    assert names(tmp_path / "a") == [str(tmp_path / "a")]


def test_folder_of_crops_inside_is_no_video(tmp_path):
    images(tmp_path / "talk", "1.png")
    (images(tmp_path / "out", "contact_sheet.jpg") / "crop.json").write_text("{}")
    assert names(tmp_path) == [str(tmp_path / "talk")]


def test_changed_files_have_another_version(tmp_path):
    path, folder = film(tmp_path / "a.mp4", 3), images(tmp_path / "frames", "1.png", "2.png")
    before = [video.version for video in list_videos([str(path), str(folder)])[0]]
    assert [video.version for video in list_videos([str(path), str(folder)])[0]] == before
    film(path, 4)
    images(folder, "1.png", "2.png", "3.png")
    assert not set(before) & {video.version for video in list_videos([str(path), str(folder)])[0]}


@pytest.mark.parametrize(
    "make, said",
    [
        (lambda folder: folder / "none.mp4", "no such file or folder: .*none.mp4"),
        (lambda folder: folder, "this folder contains no videos and no frames; give a folder of videos"),
        (lambda folder: (folder / "x" / "y").mkdir(parents=True) or folder, "only folders such as 'x'"),
        (lambda folder: images(folder, "a.png") / "a.png", "a still image; give a video, or a folder with the frames"),
    ],
)
def test_inputs_without_videos_are_refused(tmp_path, make, said):
    with pytest.raises(InputError, match=said):
        list_videos([str(make(tmp_path))])


def test_camera_is_refused():
    with pytest.raises(InputError, match="a camera cannot be cropped"):
        list_videos(["camera:0"])


@pytest.mark.parametrize(
    "files, numbers",
    [
        (("00003.jpg", "00007.jpg"), [3, 7]),
        (("frame_9.png", "frame_10.png", "Frame_2.png"), [2, 9, 10]),
        (("f-0.png", "f-1.png", "f-5.png"), [1, 2, 6]),
        (("a1.png", "b2.png", "b10.png"), [1, 2, 3]),
        (("1.png", "1.jpg"), [1, 2]),
        (("one.png", "two.png"), [1, 2]),
        (("20230101_1.png", "20230101_2.png"), [1, 2]),
    ],
)
def test_frames_are_numbered_by_their_names(tmp_path, files, numbers):
    source = open_frames(images(tmp_path / "frames", *files), "frames")
    assert [number for number, _ in source.files] == numbers
    assert [frame.number for frame in source] == numbers
    assert bool(source.notes) == ("f-0.png" in files)


def test_frames_must_be_readable_images(tmp_path):
    with pytest.raises(InputError, match="contains no images"):
        open_frames(tmp_path, "frames")
    (tmp_path / "1.png").write_text("no image")
    with pytest.raises(InputError, match=r"1\.png"):
        open_frames(tmp_path, "frames")
