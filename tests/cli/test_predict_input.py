"""`framelight predict` on invalid and unusual inputs."""

from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from tests.helpers import face_scenes
from tests.helpers.predict_command import numbers, predict, rows
from tests.helpers.video_files import cut, film, sound
from tests.video.test_camera import NOWHERE


@pytest.fixture
def read(readers, tmp_path, capsys):
    """Predict on an input and return exit code, stdout and stderr; optionally every frame is a face crop."""

    def run(source, *arguments, crops=True):
        code = predict(readers, source, tmp_path / "out", *(("--crops",) if crops else ()), *arguments)
        return code, *capsys.readouterr()

    return run


def frames_of(out):
    return [int(row["frame"]) for row in rows(out / "out")]


def test_truncated_video_is_read_up_to_the_damage(read, tmp_path):
    code, printed, said = read(cut(film(tmp_path / "a.mkv", 100, codec="mpeg4", keys=5), 0.6))
    frames = frames_of(tmp_path)
    assert code == 0 and 30 < len(frames) < 90 and frames == list(range(1, len(frames) + 1))
    assert f"is truncated after frame {len(frames)}" in said and f"{len(frames)} frames" in printed


@pytest.mark.parametrize(
    "make, said",
    [
        (lambda folder: sound(folder / "a.mp3"), "no video"),
        (lambda folder: (folder / "a.mp4").write_text("no film") and folder / "a.mp4", "cannot be read as a video"),
        (lambda folder: (folder / "a.mp4").touch() or folder / "a.mp4", "as a video"),
        (lambda folder: folder / "nothing.mp4", "no such file or folder"),
        (lambda folder: (folder / "empty").mkdir() or folder / "empty", "contains no images"),
    ],
)
def test_invalid_video_is_rejected(read, tmp_path, make, said):
    code, _, message = read(make(tmp_path))
    assert code == 2 and said in message and len(message.splitlines()) == 1
    assert not (tmp_path / "out").exists() and not list(tmp_path.glob(".out*"))


def test_missing_camera_raises(read, tmp_path):
    code, _, said = read(f"camera:{NOWHERE}", crops=False)
    assert code == 2 and said.startswith(f"framelight: camera:{NOWHERE}: there is no such camera")
    assert not (tmp_path / "out").exists()


def test_render_with_camera_raises(read):
    code, _, said = read(f"camera:{NOWHERE}", "--render", crops=False)
    assert code == 2 and "which a camera does not allow" in said


def test_video_with_changing_size_is_rendered(read, tmp_path):
    both = tmp_path / "both.h264"
    both.write_bytes(film(tmp_path / "a.h264", 10).read_bytes() + film(tmp_path / "b.h264", 7, 32, 80).read_bytes())
    code, _, said = read(both, "--render")
    assert code == 0 and "frame size changes at frame 11" in said
    boxes = numbers(tmp_path / "out", "width", "height")
    assert boxes.tolist() == [[64, 48]] * 10 + [[32, 80]] * 7
    assert pictures(tmp_path / "out" / "annotated.mp4") == 17


def pictures(path):
    import av

    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_video_of_one_frame(read, tmp_path):
    code, printed, _ = read(film(tmp_path / "a.mp4", 1), "--render")
    assert code == 0 and "1 frame, 1 face, found in 1 frame (100.0%)" in printed and frames_of(tmp_path) == [1]


def test_without_face_every_frame_has_an_empty_row(read, tmp_path):
    code, printed, said = read(film(tmp_path / "a.mp4", 12, 320, 240), "--render", crops=False)
    assert code == 0 and "12 frames, 0 faces, found in 0 frames" in printed and "no face was found" in said
    written = rows(tmp_path / "out")
    assert frames_of(tmp_path) == list(range(1, 13))
    assert all(row["face"] == row["expression"] == row["x"] == "" and row["found"] == "0" for row in written)
    assert pictures(tmp_path / "out" / "annotated.mp4") == 12


@pytest.mark.parametrize(
    "name, options",
    [
        ("odd.mp4", {"width": 321, "height": 241, "pix_fmt": "yuv444p"}),
        ("alpha.mov", {"codec": "qtrle", "pix_fmt": "argb"}),
        ("turned.mp4", {"rotation": 90}),
        ("shape.mp4", {"shape": Fraction(3, 2)}),
    ],
)
def test_odd_sizes_alpha_and_rotation_are_read_and_rendered(read, tmp_path, name, options):
    code, _, _ = read(film(tmp_path / name, 6, **options), "--render")
    assert code == 0 and frames_of(tmp_path) == [1, 2, 3, 4, 5, 6]
    width, height = numbers(tmp_path / "out", "width", "height")[0]
    assert (width, height) == {
        "odd.mp4": (321, 241),
        "alpha.mov": (64, 48),
        "turned.mp4": (48, 64),
        "shape.mp4": (96, 48),
    }[name]


def test_times_of_a_variable_frame_rate_are_kept(read, tmp_path):
    times = [0, 40, 200, 240, 1000, 1040]
    code, _, _ = read(film(tmp_path / "a.mkv", 6, times=times))
    assert code == 0 and numbers(tmp_path / "out", "time")[:, 0] == pytest.approx([time / 1000 for time in times])


def test_images_are_separate_and_broken_ones_listed(read, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, size in (("a.png", (200, 100)), ("c.png", (90, 120))):
        Image.fromarray(np.full((*size[::-1], 3), 128, np.uint8)).save(folder / name)
    (folder / "b.png").write_text("no image")
    code, printed, said = read(folder, crops=False)
    assert code == 0 and "2 frames" in printed and "1 of 3 images cannot be read" in said
    assert frames_of(tmp_path) == [1, 3]


def test_broken_link_of_a_folder_of_images_changes_nothing(read, tmp_path):
    """Without it, the command is the same: what it has written is the answer."""
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.fromarray(np.full((100, 200, 3), 128, np.uint8)).save(folder / "a.png")
    (folder / "0.png").symlink_to("nowhere.png")
    code, _, said = read(folder, crops=False)
    assert code == 0 and "1 broken link" in said and frames_of(tmp_path) == [1]
    (folder / "0.png").unlink()
    code, _, said = read(folder, crops=False)
    assert code == 0 and "contains this prediction already" in said


def test_faces_of_each_image_in_a_folder(read, tmp_path):
    """As many as are told apart in a film, where a face has to be seen more than once."""
    folder, many = tmp_path / "photos", (1, 2, 0, 1, 1)
    folder.mkdir()
    for number, faces in enumerate(many):
        people = [(who, 100 + 160 * who, 100, 112) for who in range(faces)]
        Image.fromarray(face_scenes.frame(360, 200, people)).save(folder / f"photo{'abcde'[number]}.png")
    code, printed, _ = read(folder, crops=False)
    assert code == 0 and "5 frames, 5 faces, found in 4 frames" in printed
    assert [(row["frame"], row["face"]) for row in rows(tmp_path / "out")] == [
        ("1", "1"),
        ("2", "1"),
        ("2", "2"),
        ("3", ""),
        ("4", "1"),
        ("5", "1"),
    ]
    assert (tmp_path / "out" / "images.csv").read_text().split() == [
        "frame,image",
        *(f"{number},photo{letter}.png" for number, letter in enumerate("abcde", 1)),
    ]


def test_seconds_limits_the_input(read, tmp_path):
    code, _, _ = read(film(tmp_path / "a.mp4", 50), "--seconds", 0.5)
    assert code == 0 and frames_of(tmp_path) == list(range(1, 14))
