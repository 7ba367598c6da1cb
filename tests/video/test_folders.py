"""Folders with more than images, and animated images."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from harness.utils.errors import InputError
from harness.video.folder_contents import list_folder
from harness.video.source import open_source
from tests.helpers.video_files import film
from tests.video.test_source import photo, read


def animation(path, frames=4, milliseconds=200, **options):
    images = [Image.fromarray(np.full((30, 40, 3), 40 * number, np.uint8)) for number in range(frames)]
    images[0].save(path, save_all=True, append_images=images[1:], duration=milliseconds, **options)
    return path


def test_what_cannot_be_read_is_passed_over_and_noted(tmp_path):
    for name in ("1.png", "10.PNG", "2.jpg"):
        photo(tmp_path / name)
    (tmp_path / "3.jpg").symlink_to("nowhere.jpg")
    (tmp_path / "4.jpg").touch()
    (tmp_path / "notes.txt").write_text("none")
    (tmp_path / "5.jpg").mkdir()
    (tmp_path / ".DS_Store").touch()
    (tmp_path / "._1.png").touch()
    frames, source = read(tmp_path)
    assert [frame.number for frame in frames] == [1, 2, 4] and source.frames == 4
    other, broken = source.notes
    assert "1 broken link, 1 .txt" in other and "1 folder" in other and "'3.jpg'" in other and ".DS" not in other
    assert "1 of 4 images cannot be read" in broken and "4.jpg (the file is empty)" in broken


def test_unreadable_image_is_passed_over(tmp_path, monkeypatch):
    for name in ("1.png", "2.png"):
        photo(tmp_path / name)
    monkeypatch.setattr(
        "harness.data.image_decoding.read_regular",
        lambda path, limit=None: (
            (_ for _ in ()).throw(PermissionError(13, "Permission denied"))
            if path.name == "1.png"
            else path.read_bytes()
        ),
    )
    frames, source = read(tmp_path)
    assert [frame.number for frame in frames] == [2] and "1.png (Permission denied)" in source.notes[0]


def test_folder_that_cannot_be_listed_raises(tmp_path, monkeypatch):
    monkeypatch.setattr("os.scandir", lambda path: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
    with pytest.raises(InputError, match="cannot be listed: Permission denied"):
        list_folder(tmp_path)


def test_links_to_themselves_are_passed_over(tmp_path):
    photo(tmp_path / "1.png")
    for name in ("loop", "2.png", "talk.mp4"):
        (tmp_path / name).symlink_to(name)
    contents = list_folder(tmp_path)
    assert contents == replace(contents, images=("1.png",), videos=("talk.mp4",), broken=("2.png", "loop"))
    frames, source = read(tmp_path)
    assert len(frames) == 1 and "2 broken links" in source.notes[0]
    with pytest.raises(InputError, match=r"talk\.mp4: a broken link to talk\.mp4; restore"):
        open_source(str(tmp_path / "talk.mp4"))


def test_many_suffixes_are_counted(tmp_path):
    for number in range(9):
        (tmp_path / f"x.a{number}").touch()
    (note,) = list_folder(tmp_path).notes()
    assert "1 .a0" in note and "3 others" in note


@pytest.mark.parametrize("name", ["a.webp", "a.gif", "a.png", "a.avif"])
def test_animated_image_is_a_video(tmp_path, name):
    options = {"lossless": True} if name.endswith("webp") else {}
    frames, source = read(animation(tmp_path / name, **options))
    assert source.kind == "video" and source.rate == pytest.approx(5) and source.frames in (4, None)
    assert [frame.seconds for frame in frames] == pytest.approx([0, 0.2, 0.4, 0.6])
    assert [int(frame.pixels[0, 0, 0]) for frame in frames] == pytest.approx([0, 40, 80, 120], abs=3)
    assert [frame.duration for frame in frames][:3] == pytest.approx([0.2] * 3)


@pytest.mark.parametrize("name", ["a.webp", "a.gif", "a.png"])
def test_still_image_of_such_a_format_is_an_image(tmp_path, name):
    assert read(photo(tmp_path / name))[1].kind == "image"


def test_pages_are_no_animation(tmp_path):
    animation(tmp_path / "a.tiff")
    assert read(tmp_path / "a.tiff")[1].kind == "image"


def test_damaged_animation_is_read_as_far_as_possible(tmp_path):
    path = animation(tmp_path / "a.png", frames=6)
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"fdAT") + 8])
    frames, source = read(path)
    assert 1 <= len(frames) < 6 and "damaged after frame" in source.notes[0]


def test_animation_with_too_many_pixels_is_refused(tmp_path, monkeypatch):
    path = animation(tmp_path / "a.webp")
    monkeypatch.setattr("harness.data.image_decoding.MAX_PIXELS", 1199)
    with pytest.raises(InputError, match="a.webp: this animated image cannot be read: .*30 pixels"):
        open_source(str(path))


def test_animated_images_of_a_folder_are_named(tmp_path):
    photo(tmp_path / "1.png")
    animation(tmp_path / "2.webp", lossless=True)
    frames, source = read(tmp_path)
    assert len(frames) == 2 and "1 animated image only the first frame is read" in source.notes[0]
    assert "2.webp" in source.notes[0]
    assert "2.webp" in read(tmp_path, crops=True)[1].notes[0]


def test_durations_are_the_time_until_the_next_frame(tmp_path):
    frames, _ = read(film(tmp_path / "a.mkv", 4, times=[0, 40, 5040, 5080]))
    assert [frame.duration for frame in frames][:3] == pytest.approx([0.04, 5.0, 0.04])
    assert np.isnan(frames[-1].duration)


def test_videos_next_to_images_are_named(tmp_path):
    photo(tmp_path / "00001.jpg", 64, 64)
    for number in (10, 9, 2, 1):
        (tmp_path / f"{number}.mp4").touch()
    with open_source(str(tmp_path)) as source:
        assert source.kind == "crops" and "4 videos next to the images (1.mp4, 2.mp4, 9.mp4, ...)" in source.notes[-1]


def test_folder_of_crops_names_other_files(tmp_path):
    photo(tmp_path / "00001.jpg", 64, 64)
    (tmp_path / "labels.txt").touch()
    with open_source(str(tmp_path)) as source:
        assert source.kind == "crops" and any("1 .txt" in note for note in source.notes)


def test_animated_images_without_others_are_videos(tmp_path):
    animation(tmp_path / "2.webp", lossless=True)
    (tmp_path / "talk.mp4").touch()
    contents = list_folder(tmp_path)
    assert contents.images == () and contents.videos == ("2.webp", "talk.mp4")
    photo(tmp_path / "1.png")
    assert list_folder(tmp_path).images == ("1.png", "2.webp")
