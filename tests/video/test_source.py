"""Inputs named by the user, and errors of those that cannot be read."""

import math

import numpy as np
import pytest
from PIL import Image

from harness.utils.errors import InputError
from harness.video.source import open_source
from tests.helpers.shared_data import shared_data
from tests.helpers.video_files import film


def photo(path, width=60, height=40, value=0, orientation=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((height, width, 3), value, np.uint8)
    pixels[:, : width // 2] = 250, 10, 10
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    Image.fromarray(pixels).save(path, exif=exif)
    return path


def read(path, **options):
    with open_source(str(path), **options) as source:
        return list(source), source


def test_one_image_is_one_frame_without_time(tmp_path):
    frames, source = read(photo(tmp_path / "me.png"))
    assert (source.kind, source.frames, source.rate, source.live, source.notes) == ("image", 1, None, False, [])
    assert len(frames) == 1 and frames[0].number == 1 and math.isnan(frames[0].seconds)
    assert frames[0].pixels.shape == (40, 60, 3) and tuple(frames[0].pixels[0, 0]) == (250, 10, 10)


@pytest.mark.parametrize("orientation", [None, 1, 3, 6, 8])
def test_photo_is_rotated_by_exif(tmp_path, orientation):
    pixels = read(photo(tmp_path / "me.jpg", orientation=orientation))[0][0].pixels
    assert pixels.shape[:2] == ((60, 40) if orientation in (6, 8) else (40, 60))
    y, x = {None: (20, 5), 1: (20, 5), 3: (20, 55), 6: (5, 20), 8: (55, 20)}[orientation]
    assert pixels[y, x, 0] > 200


def test_crops_are_never_turned(tmp_path):
    photo(tmp_path / "crops" / "00001.jpg", 64, 64, orientation=3)
    frames, source = read(tmp_path / "crops")
    assert source.kind == "crops" and frames[0].pixels[30, 5, 0] > 200


def test_images_are_sorted_naturally(tmp_path):
    for number in (10, 9, 1):
        photo(tmp_path / f"shot {number}.png", value=number)
    (tmp_path / "notes.txt").write_text("no image")
    frames, source = read(tmp_path)
    assert (source.kind, source.frames) == ("images", 3)
    assert [(frame.number, int(frame.pixels[0, -1, 0])) for frame in frames] == [(1, 1), (2, 9), (3, 10)]


def test_data_set_folder_has_numbered_crops(tmp_path):
    for number in (3, 1, 12):
        photo(tmp_path / f"{number:05}.jpg", 112, 112)
    frames, source = read(tmp_path)
    assert (source.kind, [frame.number for frame in frames]) == ("crops", [1, 3, 12])
    assert "taken as face crops; use --detect" in source.notes[0]
    frames, source = read(tmp_path, crops=False)
    assert (source.kind, [frame.number for frame in frames], source.notes) == ("images", [1, 2, 3], [])


@pytest.mark.parametrize(
    ("names", "size"),
    [
        (["20210405.jpg", "20210406.jpg"], (112, 112)),
        (["00001.jpg", "00002.jpg"], (112, 100)),
        (["00001.jpg", "00002.jpg"], (512, 512)),
        (["ann.jpg", "00002.jpg"], (112, 112)),
    ],
)
def test_other_images_are_searched_for_faces(tmp_path, names, size):
    for name in names:
        photo(tmp_path / name, *size)
    assert read(tmp_path)[1].kind == "images"
    frames, source = read(tmp_path, crops=True)
    assert (source.kind, [frame.number for frame in frames], source.notes) == ("crops", [1, 2], [])


def test_synthetic_crops_are_detected_as_crops():
    folder = next((shared_data() / "rendered" / "cropped_aligned").iterdir())
    frames, source = read(folder)
    assert source.kind == "crops" and len(frames) == source.frames
    assert [frame.number for frame in frames] == sorted(int(path.stem) for path in folder.iterdir())


def test_crops_option_for_images_and_videos(tmp_path):
    assert read(photo(tmp_path / "a.png"), crops=True)[1].kind == "crops"
    assert read(film(tmp_path / "a.mp4", 3), crops=True)[1].kind == "crops"


def test_broken_image_is_left_out_and_named_the_others_keep_their_numbers(tmp_path):
    for name in ("1.png", "2.png", "3.png"):
        photo(tmp_path / name, 50, 40)
    (tmp_path / "2.png").write_bytes((tmp_path / "2.png").read_bytes()[:60])
    frames, source = read(tmp_path)
    assert [frame.number for frame in frames] == [1, 3]
    assert len(source.notes) == 1 and "1 of 3 images cannot be read" in source.notes[0] and "2.png" in source.notes[0]


def test_input_with_only_broken_images_raises(tmp_path):
    (tmp_path / "many").mkdir()
    for number in range(3):
        (tmp_path / "many" / f"{number}.png").write_bytes(b"nothing")
    with pytest.raises(InputError, match="none of its 3 images can be read; the first: .*0.png: not an image"):
        open_source(str(tmp_path / "many"))
    with pytest.raises(InputError, match="1.png: not an image"):
        open_source(str(tmp_path / "many" / "1.png"))


def test_crop_of_frame_zero_raises_as_in_a_data_set(tmp_path):
    photo(tmp_path / "00000.jpg", 64, 64)
    with pytest.raises(InputError, match="frame numbers start at 1"):
        open_source(str(tmp_path))


def test_folder_without_images_raises_with_content(tmp_path):
    with pytest.raises(InputError, match="contains no images; give a video, an image, or the folder of the images"):
        open_source(str(tmp_path))
    photo(tmp_path / "person7" / "1.png")
    with pytest.raises(InputError, match="folders of images such as 'person7'"):
        open_source(str(tmp_path))
    film(tmp_path / "talk.mp4", 2)
    with pytest.raises(InputError, match="but videos such as 'talk.mp4'"):
        open_source(str(tmp_path))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tlak.mp4", "no such file or folder: .*; did you mean talk.mp4"),
        ("nowhere/a.mp4", "no such file or folder: now"),
        ("/dev/null", "neither a file nor a folder"),
        ("camera:", "is not the name of a camera"),
        ("camera:front", "is not the name of a camera"),
    ],
)
def test_missing_input_raises(tmp_path, monkeypatch, text, said):
    monkeypatch.chdir(tmp_path)
    film(tmp_path / "talk.mp4", 2)
    with pytest.raises(InputError, match=said):
        open_source(text)


def test_seconds_limits_the_input(tmp_path):
    frames, source = read(film(tmp_path / "a.mp4", 50), seconds=0.5)
    assert len(frames) == source.frames == 13 and frames[-1].seconds < 0.5
    frames, source = read(film(tmp_path / "a.mp4", 50), seconds=60.0)
    assert len(frames) == source.frames == 50
    assert (source.kind, source.rate, source.live, source.notes) == ("video", 25, False, [])


@pytest.mark.parametrize("seconds", [0.0, -1.0, math.nan, math.inf])
def test_invalid_seconds_raise(tmp_path, seconds):
    with pytest.raises(InputError, match="--seconds .*: give a finite number of seconds above 0"):
        open_source(str(film(tmp_path / "a.mp4", 5)), seconds=seconds)


def test_images_have_no_seconds(tmp_path):
    with pytest.raises(InputError, match="images have no time"):
        open_source(str(photo(tmp_path / "a.png")), seconds=3.0)


def test_images_that_cannot_be_read_are_named(tmp_path):
    for suffix in ("gif", "jfif", "avif", "webp", "tif", "jp2"):
        Image.new("RGB", (30, 20)).save(tmp_path / f"a.{suffix}", {"jfif": "JPEG"}.get(suffix))
    (tmp_path / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic" + b"\0" * 100)
    (tmp_path / "old.jxl.jpg").write_bytes(b"\xff\x0a")
    for name in ("Thumbs.db", ".DS_Store", "._a.tif"):
        (tmp_path / name).write_bytes(b"x")
    with open_source(str(tmp_path)) as source:
        assert len(list(source)) == 6
        (note,) = [note for note in source.notes if "cannot be read" in note]
    assert note.startswith("2 of 8 images cannot be read and are skipped: old.jxl.jpg (not an image")
    assert note.endswith("phone.heic (HEIC is not supported, convert it to JPEG)")
